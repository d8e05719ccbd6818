#include "service/relay/conversation.h"

#include "service/json/parse.h"
#include "service/relay/stream.h"

namespace tokenrelay::relay {
namespace {

using storage::EventKind;

constexpr int stored_depth = 200;  // what was accepted once must be readable again

struct Reading : std::enable_shared_from_this<Reading> {
  std::shared_ptr<Stream> stream;
  storage::Seq at = 0, upto = 0;
  std::string stored;
  Conversation conversation;
  std::function<void(std::optional<ContinuedRequest>)> done;

  void finish() {
    auto request = conversation.request(stored);
    if (!request) return done(std::nullopt);
    done(ContinuedRequest{std::move(*request), conversation.text_bytes()});
  }

  void next() {
    if (at >= upto) return finish();
    stream->read(at, [self = shared_from_this()](storage::Result<std::shared_ptr<const storage::Block>> block) {
      if (!block || (*block)->entries.empty()) return self->done(std::nullopt);
      for (const auto& entry : (*block)->entries) {
        if (entry.seq <= self->at || entry.seq > self->upto) continue;
        self->conversation.add(entry.kind, (*block)->payload(entry));
        self->at = entry.seq;
      }
      self->next();
    });
  }
};

}  // namespace

void Conversation::add(EventKind kind, std::string_view payload) {
  if (kind == EventKind::text) {
    if (turns_.empty() || turns_.back().user) turns_.push_back({false, {}});
    turns_.back().text += payload;
  }
  if (kind != EventKind::steer) return;
  const auto steer = json::parse(payload);
  turns_.push_back({true, steer && steer->is_object() ? json::word(*steer, "content") : std::string()});
}

std::optional<upstream::ModelRequest> Conversation::request(std::string_view stored_request) const {
  auto stored = json::parse(stored_request, stored_depth);
  if (!stored || !stored->is_object() || !stored->contains("messages")) return std::nullopt;
  auto& messages = (*stored)["messages"];
  for (const auto& turn : turns_) {
    messages.push_back(json::Value{{"role", turn.user ? "user" : "assistant"}, {"content", turn.text}});
  }
  upstream::ModelRequest out;
  out.model = json::word(*stored, "model");
  out.messages = json::dump(messages);
  if (const auto it = stored->find("parameters"); it != stored->end()) out.parameters = json::dump(*it);
  return out;
}

uint64_t Conversation::text_bytes() const {
  uint64_t bytes = 0;
  for (const auto& turn : turns_) bytes += turn.text.size();
  return bytes;
}

void read_conversation(const std::shared_ptr<Stream>& stream,
                       std::function<void(std::optional<ContinuedRequest>)> done) {
  auto reading = std::make_shared<Reading>();
  reading->stream = stream;
  reading->upto = stream->durable();
  reading->done = std::move(done);
  stream->context().log.request(stream->row().key, [reading](storage::Result<std::string> stored) {
    if (!stored) return reading->done(std::nullopt);
    reading->stored = std::move(*stored);
    reading->next();
  });
}

}  // namespace tokenrelay::relay
