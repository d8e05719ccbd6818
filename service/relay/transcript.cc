#include "service/relay/transcript.h"

#include "service/relay/event_codec.h"
#include "service/relay/stream.h"

namespace tokenrelay::relay {
namespace {

struct Reading : std::enable_shared_from_this<Reading> {
  std::shared_ptr<Stream> stream;
  storage::Seq upto = 0;
  std::shared_ptr<Transcript> transcript = std::make_shared<Transcript>();
  std::function<void(std::shared_ptr<const Transcript>)> done;

  void next() {
    if (transcript->last_seq >= upto && stream->ended()) upto = stream->durable();  // it ended meanwhile: to its end
    if (transcript->last_seq >= upto) return done(transcript);
    stream->read(transcript->last_seq,
                 [self = shared_from_this()](storage::Result<std::shared_ptr<const storage::Block>> block) {
                   if (!block || (*block)->entries.empty()) return self->done(nullptr);
                   for (const auto& entry : (*block)->entries) {
                     if (entry.seq > self->upto) break;
                     self->transcript->add(entry.kind, (*block)->payload(entry));
                     self->transcript->last_seq = entry.seq;
                   }
                   self->next();
                 });
  }
};

}  // namespace

void Transcript::add(storage::EventKind kind, std::string_view payload) {
  if (kind == storage::EventKind::text) text += payload;
  if (kind == storage::EventKind::reasoning) reasoning += payload;
  if (kind != storage::EventKind::tool_call) return;
  const auto piece = decode_tool_call(payload);
  if (!piece) return;
  for (auto call = tool_calls.rbegin(); call != tool_calls.rend(); ++call) {  // the last one, nearly always
    if (call->index != piece->index) continue;
    call->arguments += piece->arguments;
    return;
  }
  tool_calls.push_back({piece->index, std::string(piece->id), std::string(piece->name), std::string(piece->arguments)});
}

void read_transcript(const std::shared_ptr<Stream>& stream,
                     std::function<void(std::shared_ptr<const Transcript>)> done) {
  auto reading = std::make_shared<Reading>();
  reading->stream = stream;
  reading->upto = stream->durable();
  reading->done = std::move(done);
  reading->next();
}

}  // namespace tokenrelay::relay
