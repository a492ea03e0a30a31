/* Sizes and offsets that are a part of the binary interface on systems with 64-bit pointers. Compiled as C and as C++. */
#include <stddef.h>

#include <zmq.h>
#include <zmq_utils.h>

#define ASSERT(name, condition) typedef char name[(condition) ? 1 : -1]

struct after_a_byte
{
    char byte;
    zmq_msg_t msg;
};

ASSERT (msg_size, sizeof (zmq_msg_t) == 64);
ASSERT (msg_alignment, offsetof (struct after_a_byte, msg) == 8);
ASSERT (fd_size, sizeof (zmq_fd_t) == 4);
ASSERT (pollitem_size, sizeof (zmq_pollitem_t) == 16);
ASSERT (pollitem_fd, offsetof (zmq_pollitem_t, fd) == 8);
ASSERT (pollitem_events, offsetof (zmq_pollitem_t, events) == 12);
ASSERT (pollitem_revents, offsetof (zmq_pollitem_t, revents) == 14);

#ifdef ZMQ_BUILD_DRAFT_API
ASSERT (event_size, sizeof (zmq_poller_event_t) == 32);
ASSERT (event_fd, offsetof (zmq_poller_event_t, fd) == 8);
ASSERT (event_user_data, offsetof (zmq_poller_event_t, user_data) == 16);
ASSERT (event_events, offsetof (zmq_poller_event_t, events) == 24);
#endif

int main (void)
{
    struct zmq_msg_t msg;
    return zmq_msg_init (&msg);
}
