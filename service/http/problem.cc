#include "service/http/problem.h"

#include "service/json/parse.h"

namespace tokenrelay::http {

Reply problem(Code code, std::string detail, std::string_view request_id, std::optional<int> retry_after_s) {
  const std::string name(name_of(code));
  json::Value body = {
      {"type", "urn:tokenrelay:problem:" + name},
      {"title", title_of(code)},
      {"status", status_of(code)},
      {"detail", std::move(detail)},
      {"code", name},
      {"request_id", request_id},
  };
  Reply reply;
  reply.status = status_of(code);
  reply.body = json::dump(body);
  reply.content_type = problem_media_type;
  if (retry_after_s) reply.headers.emplace_back("Retry-After", std::to_string(*retry_after_s));
  return reply;
}

}  // namespace tokenrelay::http
