// Bytes as letters: base64 (RFC 4648 section 4, with padding), and the alphabet of base32 for random tokens.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tokenrelay::text {

std::string base64(std::string_view bytes);
// Padding may be missing. Nullopt: a character that is not in the alphabet.
std::optional<std::string> from_base64(std::string_view text);

// One letter of [a-z2-7] per byte, from its low five bits. For random tokens, not for data.
std::string random_letters(std::span<const unsigned char> drawn);

}  // namespace tokenrelay::text
