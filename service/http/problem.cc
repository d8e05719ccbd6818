#include "service/http/problem.h"

#include <nlohmann/json.hpp>

namespace tokenrelay::http {

Reply problem(Code code, std::string detail, std::string_view request_id, std::optional<int> retry_after_s) {
  const std::string name(name_of(code));
  nlohmann::ordered_json body = {
      {"type", "urn:tokenrelay:problem:" + name},
      {"title", title_of(code)},
      {"status", status_of(code)},
      {"detail", std::move(detail)},
      {"code", name},
      {"request_id", request_id},
  };
  Reply reply;
  reply.status = status_of(code);
  reply.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  reply.content_type = problem_media_type;
  if (retry_after_s) reply.headers.emplace_back("Retry-After", std::to_string(*retry_after_s));
  return reply;
}

}  // namespace tokenrelay::http
