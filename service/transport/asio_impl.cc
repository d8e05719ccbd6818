// Asio's own code, compiled once here for the whole program (ASIO_SEPARATE_COMPILATION).

// clang-format off
// A standard header first: without one Asio's configuration takes aligned_alloc() for missing, here and nowhere else, and
// what one file allocates another would free by the wrong name.
#include <cstddef>
#include <asio/impl/src.hpp>
// clang-format on
