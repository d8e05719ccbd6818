// Asio's own code, compiled once here for the whole program (ASIO_SEPARATE_COMPILATION).

// clang-format off
// A standard header first: without one, Asio's configuration assumes, only in this file, that aligned_alloc() is
// missing, and memory allocated in one file would be freed with the wrong function in another.
#include <cstddef>
#include <asio/impl/src.hpp>
// clang-format on
