#include "service/api/whole_answer.h"

#include "service/api/stream_json.h"
#include "service/http/streaming_body.h"
#include "service/relay/subscriber.h"
#include "service/surface/answer.h"
#include "service/transport/lifeline.h"

namespace tokenrelay::surface {
namespace {

// Collects the transcript instead of writing anything.
class Gathering final : public relay::Format {
 public:
  void append(std::string&, const std::vector<relay::Run>&, relay::Seq, storage::EventKind kind,
              std::string_view payload) override {
    transcript.add(kind, payload);
  }
  Transcript transcript;
};

constexpr int64_t turn_ms = 60'000;  // long, because the answer has been paid for

// Waits for a stream's end, with nothing written to the connection before: the status is known only then. The
// transcript is read from the log at the end, when its size is known and a share of the whole reads can be asked for.
class WholeReader final : public api::Reader, private relay::Sink, private http::StreamingBody::Owner {
 public:
  WholeReader(api::Api& api, Protocol protocol, std::shared_ptr<relay::Stream> stream, Render render,
              bool render_failures, http::TakenConnection connection)
      : api_(api),
        protocol_(protocol),
        render_(std::move(render)),
        render_failures_(render_failures),
        request_id_(connection.request_id),
        log_(connection.log),
        stream_(stream),
        body_(std::move(connection), open_options(api), *this),
        subscriber_(std::move(stream), 0, true, gathering_, *this) {
    api_.metrics.subscriber_joined(metrics::Transport::sse);
  }
  ~WholeReader() override {
    alive_.end();
    api_.metrics.subscriber_left(metrics::Transport::sse);
  }

  void start() { subscriber_.pump(); }
  bool awaits_events() const override { return !released_; }
  void leave() override { subscriber_.cut(relay::CutReason::shutdown); }

 private:
  static http::StreamingBody::Options open_options(api::Api& api) {
    http::StreamingBody::Options options;
    options.status = 0;
    options.write_stall_ms = api.settings().write_stall_ms;
    return options;
  }

  // Called at every commit and at the end. At the end it asks for a share, but in a later turn of the loop, not from
  // inside the stream.
  bool has_room() const override {
    if (tell_over_ && (stream_->ended() || stream_->broken())) std::exchange(tell_over_, nullptr)();
    return share_ && body_.has_room();
  }

  void on_over() {
    if (released_) return;
    if (!stream_->ended()) return subscriber_.cut(relay::CutReason::log_failed);
    api_.whole_reads.ask(
        api::gathered_twice(stream_->bytes()), turn_ms,
        [this, here = alive_.mark()](api::WholeReads::SharePtr share) {
          if (here) on_turn(std::move(share));
        },
        [here = alive_.mark()] { return static_cast<bool>(here); });
  }

  void on_turn(api::WholeReads::SharePtr share) {
    if (released_) return;
    if (!share) return subscriber_.cut(relay::CutReason::whole_reads);
    share_ = std::move(share);
    subscriber_.pump();
  }

  void on_room() override { subscriber_.pump(); }
  void send(std::string_view, bool last) override {
    if (last) answer(result());
  }
  void cut(relay::CutReason reason) override {
    if (reason == relay::CutReason::whole_reads) return answer(too_many());
    answer(error_reply(protocol_,
                       {503, "log_unavailable", "the log failed before this answer was complete", "", 5'000, false},
                       request_id_));
  }
  void on_gone() override {
    subscriber_.detach(false);
    if (log_) log_(499);
    release();
  }

  http::Reply result() {
    const auto& done = gathering_.transcript.done;
    if (done && done->failed() && done->error && !render_failures_) {
      return error_reply(protocol_, error_of(*done->error, stream_->failure()), request_id_);
    }
    return render_(*stream_, gathering_.transcript);
  }

  http::Reply too_many() const {
    const std::string message = "the answer is complete, but too many large answers are being read right now; GET " +
                                api::stream_path(stream_->id()) + " has it";
    return error_reply(protocol_, {503, "overloaded", message, "", 5'000, false}, request_id_);
  }

  void answer(http::Reply reply) {
    gathering_.transcript = {};
    if (share_ && !share_->resize(reply.body.size())) {  // escapes have made the JSON much longer than the text
      share_ = nullptr;
      reply = too_many();
    }
    reply.headers.emplace_back("Content-Type", reply.content_type);
    reply.headers.emplace_back("Stream-Id", stream_->id());
    reply.headers.emplace_back("Cache-Control", "no-store");
    if (log_) log_(reply.status);
    body_.begin(reply.status, reply.headers);
    const std::string_view part = reply.body;
    body_.finish({&part, 1}, std::move(share_));
    release();
  }

  void release() {
    if (!std::exchange(released_, true)) api_.readers.release(*this);
  }

  api::Api& api_;
  const Protocol protocol_;
  const Render render_;
  const bool render_failures_;
  const std::string request_id_;
  const std::function<void(int)> log_;
  const std::shared_ptr<relay::Stream> stream_;
  mutable transport::Alive alive_;
  mutable std::function<void()> tell_over_ = [this] {
    api_.loop.post([this, here = alive_.mark()] {
      if (here) on_over();
    });
  };
  bool released_ = false;
  api::WholeReads::SharePtr share_;
  Gathering gathering_;
  http::StreamingBody body_;
  relay::Subscriber subscriber_;
};

}  // namespace

http::Answer whole_answer(api::Api& api, const http::Request& request, Protocol protocol,
                          std::shared_ptr<relay::Stream> stream, Render render, bool render_failures) {
  if (api.readers.closed()) {
    return api::problem_of({relay::Errc::draining, "the relay is shutting down"}, request);
  }
  return http::Takeover([&api, protocol, stream = std::move(stream), render = std::move(render),
                         render_failures](http::TakenConnection connection) {
    auto reader = std::make_unique<WholeReader>(api, protocol, stream, render, render_failures, std::move(connection));
    WholeReader& started = *reader;
    api.readers.keep(std::move(reader));
    started.start();
  });
}

}  // namespace tokenrelay::surface
