#include "service/relay/continuation.h"

#include <numeric>

#include "service/json/parse.h"
#include "service/json/write.h"
#include "service/relay/event_codec.h"
#include "service/relay/event_walk.h"
#include "service/relay/start_event.h"
#include "service/relay/stream.h"
#include "service/upstream/own_event.h"

namespace tokenrelay::relay {
namespace {

using Action = OnDisconnect::Action;

constexpr uint64_t most_tools = 1u << 20;  // in one generation; no dialect allows near as many

uint64_t number(const json::Value& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_number_unsigned() ? it->get<uint64_t>() : 0;
}

}  // namespace

std::string stored_continuation(const Continuation& what) {
  return json::dump({{"upstream", what.upstream},
                     {"token", what.token},
                     {"attempt", what.attempt},
                     {"prompt_bytes", what.prompt_bytes},
                     {"request_id", what.request_id},
                     {"on_disconnect", static_cast<unsigned>(what.on_disconnect.action)},
                     {"after_ms", static_cast<uint64_t>(what.on_disconnect.after_ms)}});
}

std::optional<Continuation> read_continuation(std::string_view stored) {
  const auto value = json::parse(stored);
  if (!value || !value->is_object()) return std::nullopt;
  Continuation what;
  what.upstream = json::word(*value, "upstream");
  what.token = json::word(*value, "token");
  what.attempt = static_cast<uint32_t>(number(*value, "attempt"));
  what.prompt_bytes = number(*value, "prompt_bytes");
  what.request_id = json::word(*value, "request_id");
  const uint64_t action = number(*value, "on_disconnect");
  if (what.token.empty() || action > static_cast<uint64_t>(Action::cancel_after)) return std::nullopt;
  what.on_disconnect = {static_cast<Action>(action), static_cast<int64_t>(number(*value, "after_ms"))};
  return what;
}

std::optional<Route> route_of(const Continuation& what, const ModelTable& models, std::string_view model) {
  const auto route = models.find(model);
  if (!route) return std::nullopt;
  if (route->upstream->name == what.upstream) return Route{route->upstream, route->model};
  for (const Route& fallback : route->fallbacks) {
    if (fallback.upstream->name == what.upstream) return fallback;
  }
  return std::nullopt;
}

std::string seam_payload(uint32_t attempt, std::string_view reason) {
  std::string seam = "{\"attempt\":" + std::to_string(attempt) + ",\"reason\":";
  json::append_string(seam, reason);
  seam += '}';
  return seam;
}

StreamError restarted_error() {
  return {"relay_restarted", "the relay stopped before the answer was complete", true};
}

storage::RecoveryDecision decide(const storage::StreamRow& row, const ModelTable& models, int64_t now_ms) {
  const auto from = read_continuation(row.continuation);
  if (from && route_of(*from, models, row.model)) {
    // The next process, should this one die before it has the answer, must not number its seam the same.
    Continuation renewed = *from;
    ++renewed.attempt;
    return {false, {}, seam_payload(renewed.attempt, "relay_restarted"), stored_continuation(renewed)};
  }
  storage::RecoveryDecision decision;
  decision.ending = {"interrupted", done_payload("interrupted", nullptr, UsageTotal().json(), restarted_error()),
                     now_ms};
  return decision;
}

uint64_t Progress::output_bytes() const {
  return std::accumulate(tool_bytes.begin(), tool_bytes.end(), text_bytes + reasoning_bytes);
}

void Progress::add(storage::EventKind kind, std::string_view payload) {
  stored_bytes += payload.size();
  switch (kind) {
    case EventKind::text:
      text_bytes += payload.size();
      break;
    case EventKind::reasoning:
      reasoning_bytes += payload.size();
      break;
    case EventKind::opaque:
      ++opaque;
      break;
    case EventKind::own:
      own += !payload.starts_with(static_cast<char>(upstream::OwnEvent::Op::piece));
      break;
    case EventKind::tool_call: {
      const auto piece = decode_tool_call(payload);
      if (!piece || piece->index < first_tool || piece->index - first_tool >= most_tools) break;
      const size_t call = piece->index - first_tool;
      if (call >= tool_bytes.size()) tool_bytes.resize(call + 1);
      tool_bytes[call] += piece->arguments.size();
      break;
    }
    case EventKind::steer:
      earlier_bytes += output_bytes();
      first_tool += tool_bytes.size();
      ++steers;
      text_bytes = reasoning_bytes = opaque = own = 0;
      tool_bytes.clear();
      break;
    default:
      break;
  }
}

void read_progress(const std::shared_ptr<Stream>& stream, std::function<void(std::optional<Progress>)> done) {
  const auto progress = std::make_shared<Progress>();
  const auto add = [progress](storage::Seq, storage::EventKind kind, std::string_view payload) {
    progress->add(kind, payload);
    return true;
  };
  walk_events(stream, 0, stream->durable(), add, [progress, done = std::move(done)](bool readable) {
    done(readable ? std::optional(std::move(*progress)) : std::nullopt);
  });
}

}  // namespace tokenrelay::relay
