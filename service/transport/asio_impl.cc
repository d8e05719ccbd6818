// Asio's own code, compiled once here for the whole program (ASIO_SEPARATE_COMPILATION).

// clang-format off
// A standard header first: without one, Asio's configuration assumes, only in this file, that aligned_alloc() is
// missing, and memory allocated in one file would be freed with the wrong function in another.
#include <cstddef>
#include <sys/epoll.h>
#include "service/transport/turn_watch.h"
// The reactor's wait is where a turn of a loop ends and the next one begins. Asio has no hook there.
#define epoll_wait ::tokenrelay::transport::wait_for_events
#include <asio/impl/src.hpp>
// clang-format on
