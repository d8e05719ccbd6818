// Upstream: one call of a model, as the relay sees it, whatever dialect the provider speaks.
//
// A Provider turns a neutral ModelRequest into a Call; the call reports what the model says to a CallHandler, on the
// loop's thread, and ends with exactly one Outcome. Text, reasoning and arguments are valid UTF-8 and never end inside
// a code point (a lone surrogate or a split sequence is held back until its other half comes, or becomes U+FFFD at the
// end).
//
// Ownership: destroying a Call closes its connection at once and silences its handler. The handler may destroy the call
// inside any callback. Bounds: one upstream event is at most max_event_bytes; nothing is queued: a paused call is not
// read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace tokenrelay::upstream {

// One prompt, in OpenAI's words (prompt.h says which); every surface translates to here, every dialect from here.
struct ModelRequest {
  std::string model;       // the upstream's own name for it
  std::string messages;    // JSON array of {role, content}
  std::string parameters;  // JSON object in OpenAI's names, "" for none
  std::string request_id;  // sent on as a header
};

// A part of a request that a dialect has no words for.
struct UnsupportedField {
  std::string field;  // "parameters.logit_bias", "messages[2].content[0]"
  std::string why;    // a sentence about it, for the client
};

inline tl::unexpected<UnsupportedField> refuse(std::string field, std::string why) {
  return tl::make_unexpected(UnsupportedField{std::move(field), std::move(why)});
}

enum class FinishReason { stop, length, tool_calls, content_filter, other };

struct Usage {
  std::optional<uint64_t> input_tokens, output_tokens;  // as the provider counted; absent: it did not say
};

// Codes are what clients see in done.error.code.
enum class ErrorCode {
  upstream_unreachable,   // no connection (DNS, refused, TLS, connect timeout)
  upstream_timeout,       // first byte or idle limit passed
  upstream_truncated,     // ended without its end mark
  upstream_protocol,      // not SSE, not JSON, an event over the limit
  upstream_error,         // the provider reported an error, in the stream or by status, that no other code fits
  upstream_rate_limited,  // 429
  upstream_overloaded,    // 503, 529
  upstream_auth,          // 401, 403: the relay's credential was refused
  upstream_bad_request,   // 400, 404, 413, 422: the request was refused
};
std::string_view name_of(ErrorCode code);

struct Error {
  ErrorCode code;
  std::string message;                    // for the client: the provider's words, cut to 500 bytes, without secrets
  bool retryable = false;                 // worth another try with the same request
  std::optional<int64_t> retry_after_ms;  // what the provider asked for
  int http_status = 0;                    // 0: none came
};

struct Outcome {
  std::optional<Error> failure;  // none: completed
  FinishReason finish_reason = FinishReason::stop;
  std::string finish_reason_raw;  // as sent, when it is `other`
  Usage usage;
};

// A provider's word for why it stopped, as it is shown: valid UTF-8, at most 100 bytes.
std::string raw_reason(std::string_view word);

class CallHandler {
 public:
  virtual void on_text(std::string_view delta) = 0;       // never empty
  virtual void on_reasoning(std::string_view delta) = 0;  // never empty
  // `index` counts the calls of this generation from 0; id and name come with the first piece (and again never);
  // arguments_delta may be empty then. The id is "" where the provider gives none.
  virtual void on_tool_call(int index, std::string_view id, std::string_view name,
                            std::string_view arguments_delta) = 0;
  virtual void on_end(Outcome outcome) = 0;  // last call, exactly once
  virtual void on_first_byte() {}            // the response's head has arrived (status 2xx)
  // What the model wants to be given back untouched in a later turn: one JSON object on one line,
  // {"provider":KIND,"type":"signature"|"redacted_thinking"|"thought_signature"|"encrypted_reasoning","data":"…"} and
  // what else that type needs (`id`; `index` of the tool call it belongs to, counted as in on_tool_call).
  virtual void on_opaque(std::string_view) {}
  // The answer goes on at the upstream if this connection is lost; Provider::take_up() finds it by this token.
  virtual void on_resumable(std::string_view) {}
  // The connection was lost and the answer taken up where it was: nothing is missing and nothing comes twice.
  virtual void on_seam(std::string_view /*reason*/) {}

 protected:
  ~CallHandler() = default;
};

class Call {
 public:
  virtual ~Call() = default;  // closes the connection at once
  virtual void pause() = 0;   // stop reading the upstream's socket (only a slow log may ask for this)
  virtual void resume() = 0;
};

class Provider {
 public:
  virtual ~Provider() = default;
  virtual std::string_view kind() const = 0;  // "openai", "demo", …: start.provider
  // What this dialect cannot carry over: a 400 to the client, before anything has started. Never silently dropped.
  virtual std::optional<UnsupportedField> refuses(const ModelRequest&) const { return std::nullopt; }
  // Never calls the handler before it returns.
  virtual std::unique_ptr<Call> start(ModelRequest request, CallHandler& handler) = 0;
  // Takes an answer up that another process began, from its beginning: what its handler was told comes again. Null:
  // this dialect cannot.
  virtual std::unique_ptr<Call> take_up(std::string_view /*token*/, const ModelRequest&, CallHandler&) {
    return nullptr;
  }
};

}  // namespace tokenrelay::upstream
