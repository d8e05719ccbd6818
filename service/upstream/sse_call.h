// SseCall: what all dialects over HTTP share: one streaming request, the kind of its response (events, a document, an
// HTML page, an error status), its timeouts and its end (DIALECTS.md, Every upstream). A dialect derives from it and
// interprets the events.
//
// A call ends with complete() or fail(), once. Both may destroy the call before they return, so their caller must not
// touch it afterwards. A hook that returns false says that the call has ended or was destroyed. Threads: the loop's.
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

  // Sends the request; also to retry, from refused() or after cut().
  void ask(client::HttpRequest request);

  // ---- what a dialect implements
  // Takes one event. Its data is trimmed and not empty; `error:` lines and empty events are handled before.
  // `unterminated`: the body ended before the event's blank line, so the event may be cut.
  virtual bool take_event(const SseEvent& event) = 0;
  // Takes a body that is not a stream: a whole answer, or an error under status 200. It may be cut unless the end's
  // cause is `clean`.
  virtual bool take_document(std::string_view document, const client::TransferEnd& end) = 0;
  // The answer is complete as far as it must be: the body's clean end, or end_of_body_ms without it, completes the
  // call.
  virtual bool marked() const = 0;
  virtual bool begun() const = 0;          // part of an answer in this dialect was received
  virtual bool flush() = 0;                // passes on what was held back; false: the call was destroyed
  virtual Outcome outcome() const = 0;     // of a call that is complete
  virtual const Usage& usage() const = 0;  // so far: a failed call costs too
  // The status is not 2xx. True: the dialect has dealt with it (sent the request again, or ended the call).
  virtual bool refused(const client::HttpHead&, std::string_view /*body*/) { return false; }
  virtual void accepted() {}  // the status is 2xx: the request will not be sent again
  // The body ended before the answer was complete. True: the dialect has dealt with it (it resumes the answer).
  virtual bool cut(const client::TransferEnd&) { return false; }

  // ---- what a dialect may do
  void complete(bool keep_connection = false);
  void fail(Error failure);
  void body_mark_changed();  // call it when marked() may have changed outside take_event()

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
  void refusal(const client::TransferEnd& end);
  void end(Outcome outcome);

  const std::shared_ptr<client::HttpClient> client_;
  const ProviderOptions& options_;  // in the provider's shared state, which the dialect keeps alive
  CallHandler& handler_;
  Body body_ = Body::unknown;
  transport::Lifeline line_;
  std::optional<SseParser> parser_;
  transport::Timer end_of_body_;
  std::unique_ptr<client::Transfer> transfer_;
  client::HttpHead head_;
  size_t idle_bytes_ = 0;  // since the last event
  std::string document_;   // an error's body, or an answer that is not a stream
};

}  // namespace tokenrelay::upstream
