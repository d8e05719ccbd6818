#include "service/api/whole_answer.h"

#include "service/api/await.h"
#include "service/api/piece_writer.h"
#include "service/http/streaming_body.h"

namespace tokenrelay::api {
namespace {

constexpr int64_t wait_ms = 2'000;
constexpr int retry_after_s = 5;

// A reply on its way to a client, with the texts that it takes from the log.
class PiecesReader final : public Reader, private http::StreamingBody::Owner {
 public:
  PiecesReader(Api& api, const http::Reply& reply, WholeReads::SharePtr share, http::TakenConnection connection)
      : api_(api),
        share_(std::move(share)),
        head_only_(connection.head_only),
        body_(std::move(connection), options_of(api, reply), *this),
        writer_(api.loop, body_) {}

  void start(std::unique_ptr<relay::Pieces> pieces) {
    if (head_only_) return on_written(true);
    writer_.begin(std::move(pieces), [this](bool readable) { on_written(readable); });
  }
  bool awaits_events() const override { return !released_; }
  void leave() override {
    body_.cut();
    release();
  }

 private:
  static http::StreamingBody::Options options_of(Api& api, const http::Reply& reply) {
    http::StreamingBody::Options options;
    options.status = reply.status;
    options.headers = reply.headers;
    options.headers.emplace_back("Content-Type", reply.content_type);
    options.write_stall_ms = api.settings().write_stall_ms;
    return options;
  }

  void on_written(bool readable) {
    if (readable) {
      body_.finish({});
    } else {
      api_.metrics.cut("unreadable");
      body_.cut();
    }
    release();
  }
  void on_room() override { writer_.on_room(); }
  void on_gone() override { release(); }
  void release() {
    if (!std::exchange(released_, true)) api_.readers.release(*this);
  }

  Api& api_;
  const WholeReads::SharePtr share_;
  const bool head_only_;
  bool released_ = false;
  http::StreamingBody body_;
  PieceWriter writer_;
};

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

http::Answer pieces_reply(Api& api, http::Reply reply, std::shared_ptr<relay::Stream> stream,
                          std::shared_ptr<const relay::Excerpts> excerpts, WholeReads::SharePtr share,
                          const http::Request& request) {
  if (!excerpts->any()) return held_reply(std::move(reply), std::move(share), request);
  if (api.readers.closed()) return problem_of({relay::Errc::draining, "the relay is shutting down"}, request);
  if (!share->resize(reply.body.size())) return too_many_whole_reads(request);
  const auto held = std::make_shared<http::Reply>(std::move(reply));
  return http::Takeover([&api, held, stream = std::move(stream), excerpts = std::move(excerpts),
                         share = std::move(share)](http::TakenConnection connection) {
    if (connection.log) connection.log(held->status);
    auto pieces = std::make_unique<relay::Pieces>(stream, std::move(held->body), excerpts);
    auto reader = std::make_unique<PiecesReader>(api, *held, share, std::move(connection));
    PiecesReader& started = *reader;
    api.readers.keep(std::move(reader));
    started.start(std::move(pieces));
  });
}

}  // namespace tokenrelay::api
