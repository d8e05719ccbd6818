#include "service/relay/conversation.h"

#include "service/json/parse.h"
#include "service/relay/event_walk.h"
#include "service/relay/stream.h"

namespace tokenrelay::relay {
namespace {

using storage::EventKind;

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
  auto stored = json::parse(stored_request, json::deepest);
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
  const auto conversation = std::make_shared<Conversation>();
  const auto add = [conversation](storage::Seq, EventKind kind, std::string_view payload) {
    conversation->add(kind, payload);
    return true;
  };
  const auto upto = stream->durable();
  stream->context().log.request(stream->row().key, [=, done = std::move(done)](storage::Result<std::string> stored) {
    if (!stored) return done(std::nullopt);
    walk_events(stream, 0, upto, add, [conversation, done, stored = std::move(*stored)](bool readable) {
      auto request = readable ? conversation->request(stored) : std::nullopt;
      if (!request) return done(std::nullopt);
      done(ContinuedRequest{std::move(*request), conversation->text_bytes()});
    });
  });
}

}  // namespace tokenrelay::relay
