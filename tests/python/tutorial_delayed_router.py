"""The tutorial's "여러 요청 처리 후 순서 없이 응답", with the endpoint as an argument, and a shorter delay."""

import sys
import time

import zmq

ctx = zmq.Context()
router = ctx.socket(zmq.ROUTER)
router.bind(sys.argv[1])
print(router.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)

while True:
    identity, _, request = router.recv_multipart()
    print(f"Received from {identity}: {request.decode()}", flush=True)

    time.sleep(0.1)  # 처리 지연 시뮬레이션
    router.send_multipart([identity, b'', b'Response after delay'])
