"""Starts a Jupyter kernel and runs a cell in it: ipykernel and jupyter_client."""

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")
output = []
reply = client.execute_interactive("print(6 * 7)", timeout=60, output_hook=output.append)
assert reply["content"]["status"] == "ok", reply
assert [message["content"]["text"] for message in output if message["msg_type"] == "stream"] == ["42\n"], output
client.shutdown()
manager.shutdown_kernel(now=False)
print("jupyter: ok")
