// CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of journal rows and segments.
#pragma once

#include <cstdint>
#include <string_view>

namespace tokenrelay::storage {

// Continues the checksum `before` over `bytes`; 0 starts a new one.
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);

}  // namespace tokenrelay::storage
