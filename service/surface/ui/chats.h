// Chats: the streams that run for each chat of the UI surface, for its resume and stop routes.
//
// The client chooses a chat's name, which is unique only for its owner. Only running streams are here: an entry goes
// when its stream ends, so there are never more entries than live streams. Names may be hostile: they are compared,
// never hashed, and at most max_chat_bytes long. Threads: the shard's loop; one for each shard. Ownership: a
// shared_ptr, because streams outlive it at the end of the process; it does not own the streams.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/relay/stream.h"

namespace tokenrelay::surface {

inline constexpr size_t max_chat_bytes = 256;

// What the UI surface adds to a start event, for its encoder and for a restart.
struct ChatMarks {
  std::string chat;     // "" without a chat
  std::string message;  // the client's message that this answer continues; "" for a new message
};
std::string marks_of(const ChatMarks& marks);
ChatMarks read_marks(std::string_view start_event);

class Chats : public std::enable_shared_from_this<Chats> {
 public:
  using StreamPtr = std::shared_ptr<relay::Stream>;

  // Adds a stream to a chat of its owner, until it ends. A stream that has already ended is not added.
  void add(const std::string& chat, const StreamPtr& stream);

  // Adds a stream that a restarted relay continues to the chat in its start event, if there is one. This takes one read
  // of the log.
  void adopt(const StreamPtr& stream);

  // The running streams, the newest first.
  std::vector<StreamPtr> running(const std::string& owner, const std::string& chat) const;
  size_t size() const { return chats_.size(); }

 private:
  using Name = std::pair<std::string, std::string>;  // owner, chat
  using Running = std::map<storage::StreamKey, std::weak_ptr<relay::Stream>>;

  void remove(const Name& name, storage::StreamKey key);

  std::map<Name, Running> chats_;
};

}  // namespace tokenrelay::surface
