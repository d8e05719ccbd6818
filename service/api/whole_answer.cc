#include "service/api/whole_answer.h"

#include "service/api/await.h"

namespace tokenrelay::api {
namespace {

constexpr int64_t wait_ms = 2'000;
constexpr int retry_after_s = 5;

}  // namespace

asio::awaitable<WholeReads::SharePtr> share_for(Api& api, size_t bytes) {
  using SharePtr = WholeReads::SharePtr;
  co_return co_await until<SharePtr>([&](auto then) { api.whole_reads.ask(bytes, wait_ms, std::move(then)); });
}

http::Reply too_many_whole_reads(const http::Request& request) {
  return http::problem(http::Code::overloaded, "too many large answers are being read right now", request.request_id,
                       retry_after_s);
}

http::Reply held_reply(http::Reply reply, WholeReads::SharePtr share, const http::Request& request) {
  if (!share->resize(reply.body.size())) return too_many_whole_reads(request);
  if (share->bytes() > 0) reply.held = std::move(share);
  return reply;
}

}  // namespace tokenrelay::api
