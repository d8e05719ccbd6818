// PieceWriter: sends an answer with excerpts (relay/pieces.h) into a body as that has room, and gives others their
// turn.
//
// Threads: the shard's loop. Ownership: a member of the body's owner, who passes on_room() on while it is busy.
#pragma once

#include <functional>
#include <memory>

#include "service/http/streaming_body.h"
#include "service/relay/pieces.h"
#include "service/transport/lifeline.h"
#include "service/transport/loop.h"

namespace tokenrelay::api {

class PieceWriter {
 public:
  PieceWriter(transport::Loop& loop, http::StreamingBody& body) : loop_(loop), body_(body) {}
  ~PieceWriter() { alive_.end(); }
  PieceWriter(const PieceWriter&) = delete;

  // `done` is called once, perhaps before this returns: all was written, or (false) the log cannot be read. The body
  // is left open. If the body is gone, it is not called.
  using Done = std::function<void(bool readable)>;
  void begin(std::unique_ptr<relay::Pieces> pieces, Done done);
  void on_room() { go(); }
  bool busy() const { return pieces_ != nullptr; }

 private:
  void go();
  void take(std::optional<std::string_view> piece);
  void end(bool readable);

  transport::Loop& loop_;
  http::StreamingBody& body_;
  std::unique_ptr<relay::Pieces> pieces_;
  Done done_;
  bool reading_ = false;  // a piece is being made
  bool going_ = false;    // inside go()
  transport::Alive alive_;
};

}  // namespace tokenrelay::api
