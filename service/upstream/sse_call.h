// SseCall: what every dialect over HTTP shares: one streaming request, what came back (events, a document, a page, a
// refusal), its timeouts and its end (DIALECTS.md, Every upstream). A dialect derives from it and says what an event
// means.
//
// A call ends by complete() or fail(), once; both may destroy the call before they return, so whoever called them
// touches nothing afterwards. Hooks that answer false say "ended, or gone". Threads: the loop's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "service/client/http_client.h"
#include "service/transport/lifeline.h"
#include "service/transport/timer_wheel.h"
#include "service/upstream/error.h"
#include "service/upstream/providers.h"
#include "service/upstream/sse_parser.h"

namespace tokenrelay::upstream {

class SseCall : public Call, private client::TransferHandler, private SseSink {
 public:
  void pause() override;
  void resume() override;

 protected:
  SseCall(std::shared_ptr<client::HttpClient> client, const ProviderOptions& options, CallHandler& handler);

  // Asks; once more after refused() or cut(), when that is what they want.
  void ask(client::HttpRequest request);

  // ---- what a dialect says
  // One event with data, trimmed and not empty; `error:` lines and what no dialect needs to see never come here.
  // `unterminated`: the body ended before its blank line, so it may be cut.
  virtual bool take_event(const SseEvent& event) = 0;
  // A body that is no stream: a whole answer, or an error under status 200. `clean`: it came whole.
  virtual bool take_document(std::string_view document, const client::TransferEnd& end) = 0;
  // Everything was said that must be said: the body's clean end, or end_of_body_ms without it, completes the call.
  virtual bool marked() const = 0;
  virtual bool begun() const = 0;          // something of this dialect was understood
  virtual bool flush() = 0;                // hands on what was held back; false: gone
  virtual Outcome outcome() const = 0;     // of a call that is complete
  virtual const Usage& usage() const = 0;  // so far: a failed call costs too
  // Not 2xx. True: taken care of (asked again, or ended).
  virtual bool refused(const client::HttpHead&, std::string_view /*body*/) { return false; }
  // The body ended before its mark. True: taken care of (the dialect takes the answer up again).
  virtual bool cut(const client::TransferEnd&) { return false; }

  // ---- what a dialect may do
  void complete(bool keep_connection = false);
  void fail(Error failure);
  // Nothing can be asked, because refuses() was not: fails by that, after the call was given to its owner.
  void fail_unasked(UnsupportedField why);
  void body_mark_changed();  // marked() may have changed outside take_event()

  CallHandler& handler() { return handler_; }
  transport::Lifeline& line() { return line_; }
  const client::HttpHead& head() const { return head_; }
  const ProviderOptions& options() const { return options_; }
  const std::shared_ptr<client::HttpClient>& client() const { return client_; }

 private:
  enum class Body { unknown, events, document, refused };

  void on_head(const client::HttpHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_end(const client::TransferEnd& end) override;
  bool on_event(const SseEvent& event) override;

  bool recognise(std::string_view bytes);
  void take_events(std::string_view bytes);
  void gather(std::string_view bytes);
  void refusal();
  void end(Outcome outcome);

  const std::shared_ptr<client::HttpClient> client_;
  const ProviderOptions& options_;  // the provider's shared state keeps it as long as the dialect holds that
  CallHandler& handler_;
  Body body_ = Body::unknown;
  transport::Lifeline line_;
  std::optional<SseParser> parser_;
  transport::Timer end_of_body_;  // or, where nothing was asked, the end of a call that never began
  std::unique_ptr<client::Transfer> transfer_;
  std::optional<UnsupportedField> unsupported_;
  client::HttpHead head_;
  std::string document_;  // an error's body, or an answer that is no stream
};

}  // namespace tokenrelay::upstream
