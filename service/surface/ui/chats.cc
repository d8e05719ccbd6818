#include "service/surface/ui/chats.h"

#include "service/json/parse.h"
#include "service/json/write.h"

namespace tokenrelay::surface {

std::string marks_of(const ChatMarks& marks) {
  std::string out = R"(,"surface":"ui")";
  if (!marks.chat.empty()) json::append_string(out += R"(,"chat":)", marks.chat);
  if (!marks.message.empty()) json::append_string(out += R"(,"message":)", marks.message);
  return out;
}

ChatMarks read_marks(std::string_view start_event) {
  const auto start = json::parse(start_event);
  if (!start || !start->is_object() || json::word(*start, "surface") != "ui") return {};
  return {json::word(*start, "chat"), json::word(*start, "message")};
}

void Chats::add(const std::string& chat, const StreamPtr& stream) {
  if (chat.empty() || chat.size() > max_chat_bytes || stream->ended()) return;
  const Name name{stream->row().owner, chat};
  const auto key = stream->row().key;
  if (!chats_[name].emplace(key, stream).second) return;
  stream->when_ended([chats = weak_from_this(), name, key](bool) {
    if (const auto alive = chats.lock()) alive->remove(name, key);
  });
}

void Chats::adopt(const StreamPtr& stream) {
  using BlockRead = storage::Result<std::shared_ptr<const storage::Block>>;
  stream->read(0, [chats = weak_from_this(), stream](BlockRead block) {
    const auto alive = chats.lock();
    if (!alive || !block || (*block)->entries.empty()) return;
    alive->add(read_marks((*block)->payload((*block)->entries.front())).chat, stream);
  });
}

std::vector<Chats::StreamPtr> Chats::running(const std::string& owner, const std::string& chat) const {
  std::vector<StreamPtr> out;
  const auto found = chats_.find({owner, chat});
  if (found == chats_.end()) return out;
  for (auto at = found->second.rbegin(); at != found->second.rend(); ++at) {
    if (auto stream = at->second.lock()) out.push_back(std::move(stream));
  }
  return out;
}

void Chats::remove(const Name& name, storage::StreamKey key) {
  const auto found = chats_.find(name);
  if (found == chats_.end()) return;
  found->second.erase(key);
  if (found->second.empty()) chats_.erase(found);
}

}  // namespace tokenrelay::surface
