// Asio's own code, compiled once here for the whole program (ASIO_SEPARATE_COMPILATION).
#include <asio/impl/src.hpp>
