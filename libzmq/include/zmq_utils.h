/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Deprecated: all functions that this header declared in older versions of libzmq are declared in zmq.h.
 */

#ifndef ZMQ_UTILS_H_INCLUDED
#define ZMQ_UTILS_H_INCLUDED

#include "zmq.h"

#endif /* ZMQ_UTILS_H_INCLUDED */
