// Upstream: one call of a model, as the relay sees it, whatever dialect the provider speaks.
//
// A Provider translates a neutral ModelRequest into its dialect's bytes, once, and starts Calls with them; a call
// reports what the model says to a CallHandler, on the loop's thread, and ends with exactly one Outcome. Text,
// reasoning and arguments are valid UTF-8 and never end inside a code point (a lone surrogate or a split sequence is
// held back until its other half arrives, or becomes U+FFFD at the end).
//
// Ownership: destroying a Call closes its connection at once, and its handler is not called again. The handler may
// destroy the call inside any callback. Bounds: one upstream event is at most max_event_bytes; nothing is queued: the
// socket of a paused call is not read.
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

// A part of a request that a dialect does not support.
struct UnsupportedField {
  std::string field;  // "parameters.logit_bias", "messages[2].content[0]"
  std::string why;    // what is wrong with it, for the client: "is not supported by this upstream"
};

struct OwnRequest;  // own_request.h

// One prompt in OpenAI's format (prompt.h), which every surface translates to and every dialect from; and beside it,
// for a provider of the client's own protocol, the request as the client wrote it.
struct ModelRequest {
  std::string model;       // by the upstream's name for it
  std::string messages;    // JSON array of {role, content}
  std::string parameters;  // JSON object with OpenAI's names; "" without parameters
  std::string request_id;  // sent to the upstream as a header
  std::shared_ptr<const OwnRequest> own = nullptr;
  // Why there are no messages: the neutral format has no words for the request. Only `own` can be sent.
  std::optional<UnsupportedField> untranslated = std::nullopt;

  const OwnRequest* own_of(std::string_view kind) const;  // null: for this kind it must be translated
};

inline tl::unexpected<UnsupportedField> refuse(std::string field, std::string why) {
  return tl::make_unexpected(UnsupportedField{std::move(field), std::move(why)});
}

// A request in a dialect's own bytes, ready to send. Immutable; shared by those who may send it again.
class PreparedRequest {
 public:
  virtual ~PreparedRequest() = default;
  virtual size_t bytes() const = 0;  // of memory, about
};
using PreparedPtr = std::shared_ptr<const PreparedRequest>;
using Prepared = tl::expected<PreparedPtr, UnsupportedField>;

enum class FinishReason { stop, length, tool_calls, content_filter, other };

// Tokens as the provider reports them; absent: not reported.
struct Usage {
  using Count = std::optional<uint64_t>;
  Count input_tokens, output_tokens;
  // Parts of the input: read from a cache, written to one, sound.
  Count cached_tokens = {}, cache_write_tokens = {}, audio_input_tokens = {};
  // Parts of the output: thought, sound.
  Count reasoning_tokens = {}, audio_output_tokens = {};
};

// The parts, by their names in `done.usage`.
struct UsageDetail {
  std::string_view name;
  Usage::Count Usage::*count;
};
inline constexpr UsageDetail usage_details[] = {{"cached_input_tokens", &Usage::cached_tokens},
                                                {"cache_write_tokens", &Usage::cache_write_tokens},
                                                {"audio_input_tokens", &Usage::audio_input_tokens},
                                                {"reasoning_tokens", &Usage::reasoning_tokens},
                                                {"audio_output_tokens", &Usage::audio_output_tokens}};

// Codes are what clients see in done.error.code.
enum class ErrorCode {
  upstream_unreachable,   // no connection (DNS, refused, TLS, connect timeout)
  upstream_timeout,       // first byte or idle limit passed
  upstream_truncated,     // the response ended before it was complete
  upstream_protocol,      // not SSE, not JSON, an event over the limit
  upstream_error,         // the provider reported an error for which there is no other code
  upstream_rate_limited,  // 429
  upstream_overloaded,    // 503, 529
  upstream_auth,          // 401, 403: the relay's credential was refused
  upstream_bad_request,   // 400, 404, 413, 422: the request was refused
  upstream_empty,         // the model stopped of its own accord and had said nothing
};
std::string_view name_of(ErrorCode code);

struct AnswerHeaders;  // answer_headers.h

struct Error {
  ErrorCode code;
  std::string message;                    // for the client: the provider's message, cut to 500 bytes, without secrets
  bool retryable = false;                 // the same request may succeed later
  std::optional<int64_t> retry_after_ms;  // what the provider asked for
  int http_status = 0;                    // 0: there was no response
  // The refusal as the provider wrote it, for a client of its own protocol: JSON, without secrets. "" if it is none, or
  // is about the relay's own credential.
  std::string own_kind = {}, own_body = {};
  // The answer came to its own end, which the relay takes for a failure; the provider's events tell it as it was.
  bool has_ended = false;
  std::shared_ptr<const AnswerHeaders> headers = nullptr;  // of the response; null: there was none
};

struct Outcome {
  std::optional<Error> failure;  // absent: the call completed
  FinishReason finish_reason = FinishReason::stop;
  std::string finish_reason_raw;  // as sent, when it is `other`
  std::string stop_sequence;      // of the request's, the one that ended the answer; "": none, or not said
  Usage usage;
  std::string response_id = {};  // the provider's own; "": not said
};

// A provider's word for why it stopped, as it is shown: valid UTF-8, at most 100 bytes.
std::string raw_reason(std::string_view word);
// The stop sequence that a provider names: valid UTF-8, at most 1 KiB.
std::string stop_sequence_of(std::string_view text);
// A response's id, as a provider gives it: visible ASCII, at most 256 bytes; else "".
std::string response_id_of(std::string_view text);

class CallHandler {
 public:
  virtual void on_text(std::string_view delta) = 0;       // never empty
  virtual void on_reasoning(std::string_view delta) = 0;  // never empty
  // `index` counts the calls of this generation from 0. The first piece has the id and the name, later pieces do not;
  // the first piece's arguments_delta may be empty. The id is "" if the provider sends none.
  virtual void on_tool_call(int index, std::string_view id, std::string_view name,
                            std::string_view arguments_delta) = 0;
  virtual void on_end(Outcome outcome) = 0;  // last call, exactly once
  // How much was told so far, in any measure. An upstream that sends events for ever and does not move it is left.
  virtual uint64_t told_bytes() const = 0;
  virtual void on_first_byte() {}  // the response's head has arrived (status 2xx)
  virtual void on_headers(const std::shared_ptr<const AnswerHeaders>&) {}  // before that, and of each other response
  // What the model wants back unchanged in a later turn: one JSON object on one line,
  // {"provider":KIND,"type":"signature"|"redacted_thinking"|"thought_signature"|"encrypted_reasoning","data":"…"} and
  // what else that type needs (`id`; `index` of the tool call it belongs to, counted as in on_tool_call).
  virtual void on_opaque(std::string_view) {}
  // An event as the provider sent it (own_event.h), for clients of its own protocol: what it says in neutral words
  // follows. `shows`: a client sees part of the answer in it. Only of requests in the provider's own protocol, where
  // wants_own().
  virtual bool wants_own() const { return false; }
  virtual void on_own(std::string_view /*entry*/, bool /*shows*/) {}
  // The answer goes on at the upstream if this connection is lost; Provider::take_up() finds it by this token.
  virtual void on_resumable(std::string_view) {}
  // The connection was lost and the answer resumed where it was: nothing is missing or repeated.
  virtual void on_seam(std::string_view /*reason*/) {}

 protected:
  ~CallHandler() = default;
};

class Call {
 public:
  virtual ~Call() = default;     // closes the connection at once, and cancels an answer that could be resumed
  virtual void keep_answer() {}  // it is not cancelled then: another process will resume it
  virtual void pause() = 0;      // stop reading the upstream's socket (only a slow log may ask for this)
  virtual void resume() = 0;
};

class Provider {
 public:
  virtual ~Provider() = default;
  virtual std::string_view kind() const = 0;  // "openai", "demo", …: start.provider
  // Translates the request, or names the first field that this dialect does not support. The client then gets a 400
  // that names it, before anything has started; a field is never dropped silently. On any thread: large requests are
  // translated on a worker. See also prepare() below.
  virtual Prepared prepare(const ModelRequest& request) const = 0;
  // `request` is from this provider's prepare(). Never calls the handler before it returns.
  virtual std::unique_ptr<Call> start(PreparedPtr request, CallHandler& handler) = 0;
  // Resumes an answer that another process began, from its beginning: everything is reported again. Null: this dialect
  // cannot.
  virtual std::unique_ptr<Call> take_up(std::string_view /*token*/, const std::string& /*request_id*/, CallHandler&) {
    return nullptr;
  }
};

// The provider's prepare(), unless the request is neither in its protocol nor translated.
Prepared prepare(const Provider& provider, const ModelRequest& request);

}  // namespace tokenrelay::upstream
