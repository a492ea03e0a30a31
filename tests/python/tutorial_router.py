"""The tutorial's "ROUTER 서버 예제", with the endpoint as an argument and the bound address printed."""

import sys

import zmq

ctx = zmq.Context()
socket = ctx.socket(zmq.ROUTER)
socket.bind(sys.argv[1])
print(socket.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)

while True:
    # multipart 메시지 수신: [client_id, empty, content]
    msg = socket.recv_multipart()
    client_id, _, content = msg
    print(f"From {client_id}: {content.decode()}", flush=True)

    # 클라이언트 ID를 포함하여 응답
    socket.send_multipart([client_id, b'', b'ACK'])
