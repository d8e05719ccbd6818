#include "service/relay/stream_text.h"

#include <algorithm>

#include "service/relay/event_codec.h"
#include "service/relay/event_walk.h"
#include "service/relay/stream.h"

namespace tokenrelay::relay {

void StreamText::append(std::string& said, Excerpts::Place& place, storage::EventKind kind, uint64_t call,
                        std::string_view piece) {
  if (!excerpts) {
    said += piece;
  } else {
    excerpts->append(said, place, {last_seq - 1, last_seq, kind, call}, piece);
  }
}

void StreamText::add(storage::Seq seq, storage::EventKind kind, std::string_view payload) {
  last_seq = seq;
  if (kind == storage::EventKind::text) append(text, text_place_, kind, 0, payload);
  if (kind == storage::EventKind::reasoning) append(reasoning, reasoning_place_, kind, 0, payload);
  if (kind != storage::EventKind::tool_call) return;
  const auto piece = decode_tool_call(payload);
  if (!piece) return;
  auto call = std::find_if(tool_calls.rbegin(), tool_calls.rend(),  // nearly always the last one
                           [&](const ToolCall& known) { return known.index == piece->index; });
  if (call == tool_calls.rend()) {
    tool_calls.push_back({piece->index, std::string(piece->id), std::string(piece->name), {}});
    if (excerpts) excerpts->hold(piece->id.size() + piece->name.size());
    call = tool_calls.rbegin();
  }
  append(call->arguments, call->place, kind, piece->index, piece->arguments);
}

// Up to whatever is durable when it gets there, so that an end that arrives meanwhile comes with its last text.
void read_stream_text(const std::shared_ptr<Stream>& stream, ReadBounds bounds,
                      std::function<void(std::shared_ptr<const StreamText>)> done) {
  struct Reading {
    std::shared_ptr<StreamText> text = std::make_shared<StreamText>();
    std::function<bool(size_t)> fits;
    bool over = false;
  };
  const auto reading = std::make_shared<Reading>();
  reading->text->excerpts = std::move(bounds.excerpts);
  reading->fits = std::move(bounds.fits);
  const auto add = [reading](storage::Seq seq, storage::EventKind kind, std::string_view payload) {
    StreamText& text = *reading->text;
    text.add(seq, kind, payload);
    if (text.excerpts && reading->fits) reading->over = !reading->fits(text.excerpts->held_bytes());
    return !reading->over;
  };
  walk_events(stream, 0, all_durable, add, [reading, done = std::move(done)](bool readable) {
    done(readable && !reading->over ? reading->text : nullptr);
  });
}

}  // namespace tokenrelay::relay
