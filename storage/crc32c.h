// CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of journal rows and segments.
#pragma once

#include <cstdint>
#include <string_view>

namespace tokenrelay::storage {

// Of `bytes` after what `before` already covers (0: nothing).
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);

}  // namespace tokenrelay::storage
