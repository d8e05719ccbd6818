#include "service/relay/stream_text.h"

#include "service/relay/event_codec.h"
#include "service/relay/event_walk.h"
#include "service/relay/stream.h"

namespace tokenrelay::relay {

void StreamText::add(storage::EventKind kind, std::string_view payload) {
  if (kind == storage::EventKind::text) text += payload;
  if (kind == storage::EventKind::reasoning) reasoning += payload;
  if (kind != storage::EventKind::tool_call) return;
  const auto piece = decode_tool_call(payload);
  if (!piece) return;
  for (auto call = tool_calls.rbegin(); call != tool_calls.rend(); ++call) {  // nearly always the last one
    if (call->index != piece->index) continue;
    call->arguments += piece->arguments;
    return;
  }
  tool_calls.push_back({piece->index, std::string(piece->id), std::string(piece->name), std::string(piece->arguments)});
}

// Up to whatever is durable when it gets there, so that an end that arrives meanwhile comes with its last text.
void read_stream_text(const std::shared_ptr<Stream>& stream,
                      std::function<void(std::shared_ptr<const StreamText>)> done) {
  const auto transcript = std::make_shared<StreamText>();
  const auto add = [transcript](storage::Seq seq, storage::EventKind kind, std::string_view payload) {
    transcript->add(kind, payload);
    transcript->last_seq = seq;
    return true;
  };
  walk_events(stream, 0, all_durable, add,
              [transcript, done = std::move(done)](bool readable) { done(readable ? transcript : nullptr); });
}

}  // namespace tokenrelay::relay
