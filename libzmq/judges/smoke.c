/* Sends a message from a PUSH to a PULL socket. Linked with the shared and with the static library. */
#include <string.h>

#include <zmq.h>

int main (void)
{
    char buffer[6];
    int major, minor, patch, size;
    void *context = zmq_ctx_new ();
    void *pull = zmq_socket (context, ZMQ_PULL);
    void *push = zmq_socket (context, ZMQ_PUSH);

    if (zmq_bind (pull, "inproc://smoke") != 0 || zmq_connect (push, "inproc://smoke") != 0)
        return 1;
    if (zmq_send (push, "hello", 5, 0) != 5)
        return 2;
    size = zmq_recv (pull, buffer, sizeof buffer, 0);
    if (size != 5 || memcmp (buffer, "hello", 5) != 0)
        return 3;
    zmq_close (push);
    zmq_close (pull);
    if (zmq_ctx_term (context) != 0)
        return 4;

    zmq_version (&major, &minor, &patch);
    printf ("%d.%d.%d\n", major, minor, patch);
    return ZMQ_MAKE_VERSION (major, minor, patch) == ZMQ_VERSION ? 0 : 5;
}
