// What a sanitizer does to figures: it keeps what is freed for a while, has memory beside each byte, and looks at each
// access.
#pragma once

namespace tokenrelay::support {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace tokenrelay::support
