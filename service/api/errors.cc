#include "service/api/api.h"

namespace tokenrelay::api {
namespace {

struct Row {
  relay::Errc code;
  http::Code http;
  std::optional<int> retry_after_s;
};

// The table: each error of the relay as HTTP.
constexpr Row rows[] = {
    {relay::Errc::not_found, http::Code::not_found, std::nullopt},
    {relay::Errc::gone, http::Code::gone, std::nullopt},
    {relay::Errc::key_reused, http::Code::idempotency_conflict, std::nullopt},
    {relay::Errc::draining, http::Code::draining, 5},
    {relay::Errc::overloaded, http::Code::overloaded, 2},
    {relay::Errc::log_unavailable, http::Code::log_unavailable, 5},
    {relay::Errc::unreadable, http::Code::log_unavailable, 5},
};

}  // namespace

http::Reply problem_of(const relay::Error& error, const http::Request& request) {
  for (const auto& row : rows) {
    if (row.code == error.code) return http::problem(row.http, error.message, request.request_id, row.retry_after_s);
  }
  return http::problem(http::Code::internal, "unexpected error", request.request_id);
}

http::Reply refuse(http::Code code, std::string detail, const http::Request& request) {
  return http::problem(code, std::move(detail), request.request_id);
}

bool may_see(const http::Principal& principal, const relay::Stream& stream) {
  return stream.row().owner == principal.owner;
}

}  // namespace tokenrelay::api
