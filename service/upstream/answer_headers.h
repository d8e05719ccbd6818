// AnswerHeaders: what the head of an upstream's response tells the client.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/client/http_client.h"

namespace tokenrelay::upstream {

struct AnswerHeaders {
  std::string kind;        // Provider::kind() of whom they came from
  std::string request_id;  // the provider's own, which its support asks for; "" without one
  // Of the provider's protocol, for its clients: rate limits, times. Names in lower case.
  std::vector<std::pair<std::string, std::string>> fields;
};

// By an allow-list: what else is there (cookies, the organisation's name, a proxy's words) is the operator's. At most
// 64 fields of 1 KiB.
AnswerHeaders answer_headers(const client::HttpHead& head, std::string_view kind);

}  // namespace tokenrelay::upstream
