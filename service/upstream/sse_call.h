// SseCall: what all dialects over HTTP share: one streaming request, the kind of its response (events, a document, an
// HTML page, an error status), its timeouts and its end (DIALECTS.md, Every upstream). A dialect derives from it and
// interprets the events.
//
// End: an answer is complete once the model has said why it stopped. It completes when the protocol's own end follows
// (end_of_stream()), when the body ends in whatever way, or end_of_body_ms after the mark.
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
  // Takes one event. Its data is trimmed and not empty; `error:` lines, empty events and bare lines that are no JSON
  // are handled before. `unterminated`: the body ended before the event's blank line, so the event may be cut.
  virtual bool take_event(const SseEvent& event) = 0;
  // Takes a body that is not a stream: a whole answer, or an error under status 200. It may be cut unless the end's
  // cause is `clean`.
  virtual bool take_document(std::string_view document, const client::TransferEnd& end) = 0;
  // The model has said why it stopped, after its last content: the end of the body completes the call.
  virtual bool stopped() const = 0;
  // So it has, and nothing more is due: end_of_body_ms completes the call, too. Not marked are a reason before any
  // content, which some servers send with every chunk, and a reason after content had come behind an earlier one.
  virtual bool marked() const { return stopped(); }
  virtual bool empty() const { return false; }  // neither text nor reasoning nor a call was told
  // What the answer held that this dialect cannot hand on: "an image"; "" without such.
  virtual std::string_view left_out() const { return {}; }
  // Of an empty answer: its reason says why it is empty.
  virtual bool explained(const Outcome& outcome) const;
  virtual bool begun() const = 0;          // part of an answer in this dialect was received
  virtual bool flush() = 0;                // passes on what was held back; false: the call was destroyed
  virtual Outcome outcome() const = 0;     // of a call that is complete; a failure where its reason is an error
  virtual const Usage& usage() const = 0;  // so far: a failed call costs too
  virtual std::string_view response_id() const = 0;  // as the provider names it; "": it has not
  // The status is not 2xx. True: the dialect has dealt with it (sent the request again, or ended the call).
  virtual bool refused(const client::HttpHead&, std::string_view /*body*/) { return false; }
  virtual void accepted() {}  // the status is 2xx: the request will not be sent again
  // The body ended before the answer was complete. True: the dialect has dealt with it (it resumes the answer).
  virtual bool cut(const client::TransferEnd&) { return false; }

  // ---- what a dialect may do
  void complete(bool keep_connection = false);
  void fail(Error failure);
  // The protocol's own end has come: completes an answer that has stopped, and fails any other.
  void end_of_stream();
  // The payload is not JSON: the end of an answer that has stopped, a failure with the payload's words of any other.
  void not_json(std::string_view payload);
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

  bool recognise(std::string_view& bytes);
  bool tells_something();
  void take_events(std::string_view bytes);
  void gather(std::string_view bytes);
  void refusal(const client::TransferEnd& end);
  bool take_bare(SseEvent& event);
  Outcome verdict() const;
  Outcome judged() const;
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
  std::shared_ptr<const AnswerHeaders> answer_headers_;
  size_t idle_bytes_ = 0;                 // since the last event
  uint64_t events_ = 0, told_bytes_ = 0;  // the latter when events_ was last looked at
  std::string document_;                  // an error's body, or an answer that is not a stream
  std::string refusal_;                   // the body of one, if it is JSON
  std::string words_;                     // the first of what stood in an event stream without being an event
};

}  // namespace tokenrelay::upstream
