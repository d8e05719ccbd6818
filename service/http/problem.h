// Errors to clients: application/problem+json (RFC 9457). code.h maps codes to statuses and titles.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/http/code.h"
#include "service/http/reply.h"

namespace tokenrelay::http {

inline constexpr std::string_view problem_media_type = "application/problem+json";

// `detail` is for people and says what is wrong and where; it must not contain a secret or a prompt.
Reply problem(Code code, std::string detail, std::string_view request_id,
              std::optional<int> retry_after_s = std::nullopt);

}  // namespace tokenrelay::http
