// Chats: which streams run for a chat of the UI surface: what its resume and stop routes look up.
//
// A chat's name is the client's own and holds within its owner. Only what runs is here: an entry goes when its stream
// ends, so there are never more of them than live streams. Names are hostile: compared, never hashed, and at most
// max_chat_bytes long. Threads: the shard's loop; one of these per shard. Ownership: a shared_ptr, as streams outlive
// it at the end of the process; the streams are not owned.
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

// What the UI surface leaves in a start event, to be read again by a encoder or after a restart.
struct ChatMarks {
  std::string chat;     // "": none
  std::string message;  // the message of the client's that this answer goes on with; "": it is a new one
};
std::string marks_of(const ChatMarks& marks);
ChatMarks read_marks(std::string_view start_event);

class Chats : public std::enable_shared_from_this<Chats> {
 public:
  using StreamPtr = std::shared_ptr<relay::Stream>;

  // This stream runs for that chat of its owner, until it ends. A stream that has ended already is not kept.
  void add(const std::string& chat, const StreamPtr& stream);

  // A stream that a restarted relay goes on with: if its start event says that it was made for a chat, it is added.
  // That takes one read of the log.
  void adopt(const StreamPtr& stream);

  // What runs, the newest first.
  std::vector<StreamPtr> running(const std::string& owner, const std::string& chat) const;
  size_t size() const { return chats_.size(); }

 private:
  using Name = std::pair<std::string, std::string>;  // owner, chat
  using Running = std::map<storage::StreamKey, std::weak_ptr<relay::Stream>>;

  void remove(const Name& name, storage::StreamKey key);

  std::map<Name, Running> chats_;
};

}  // namespace tokenrelay::surface
