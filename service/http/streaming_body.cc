#include "service/http/streaming_body.h"

#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "service/http/reply_head.h"
#include "service/transport/loop.h"

namespace tokenrelay::http {
namespace {

using Parts = std::span<const std::string_view>;
using transport::IoStatus;

constexpr std::string_view line_end = "\r\n";
constexpr std::string_view last_chunk = "0\r\n\r\n";

iovec piece(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

struct StreamingBody::State : std::enable_shared_from_this<State> {
  Owner* owner;
  transport::Socket socket;
  bool chunked;
  bool head_only;
  bool head_due = true;
  bool blocked = false;  // the kernel took less than offered
  bool failed = false;   // the connection is broken, and the owner will be told
  bool stalled = false;
  bool finished = false;
  bool closed = false;         // cut, gone, or given back
  std::string waiting;         // the head until it leaves; then what the kernel did not take of the last write
  size_t taken = 0;            // how much of it the kernel has taken since
  std::shared_ptr<void> held;  // from finish()
  transport::Timer stall;
  int64_t stall_ms;
  size_t unread_bytes;
  std::string unread;
  std::function<void(transport::Socket, std::string)> resume;
  std::function<void()> ended;
  std::shared_ptr<State> self;  // finished, but not all has left: keeps itself alive

  State(TakenConnection&& taken, Options& options, Owner& of)
      : owner(&of),
        socket(std::move(taken.socket)),
        chunked(!taken.http10),
        head_only(taken.head_only),
        stall(socket.loop().timers(),
              [this] {
                stalled = true;
                on_broken();
              }),
        stall_ms(options.write_stall_ms),
        unread_bytes(options.unread_bytes),
        unread(std::move(taken.unread)),
        resume(std::move(taken.resume)),
        ended(std::move(taken.ended)) {
    if (options.status != 0) append_status_line(waiting, options.status);
    append_headers(waiting, taken.head);
    append_headers(waiting, options.headers);
    if (options.status != 0) end_head();
    unread.shrink_to_fit();
    waiting.shrink_to_fit();
    socket.prepare_for_stream();
    socket.give_up_after(stall_ms);
    socket.cut_if_dropped(true);  // a killed relay must not look like an end, to HTTP/1.0 clients above all
  }

  void end_head() {
    append_header(waiting, chunked ? "Transfer-Encoding" : "Connection", chunked ? "chunked" : "close");
    waiting += line_end;
  }

  void begin(int status, const HeaderList& headers) {
    std::string head;
    append_status_line(head, status);
    head += waiting;
    waiting.swap(head);
    append_headers(waiting, headers);
    end_head();
  }

  bool has_room() const { return !blocked && !failed && !finished && !closed; }

  void watch() {
    socket.wait_readable([this] {
      auto keep = shared_from_this();
      if (hear()) return watch();
      on_broken();
    });
  }

  // False: the peer has left, or sends more than is kept.
  bool hear() {
    thread_local std::array<char, 4096> scratch;
    for (;;) {
      auto got = socket.read(scratch.data(), scratch.size());
      if (got.status == IoStatus::would_block) return true;
      stalled |= got.timed_out;
      if (got.status != IoStatus::done || unread.size() + got.bytes > unread_bytes) return false;
      unread.append(scratch.data(), got.bytes);
      if (got.bytes < scratch.size()) return true;
    }
  }

  void on_broken() {
    if (closed) return;
    auto keep = shared_from_this();
    Owner* told = finished ? nullptr : owner;
    cut();
    if (told != nullptr) told->on_gone();
  }

  void cut() {
    if (closed) return;
    closed = true;
    stall.cancel();
    socket.cut();
    std::string().swap(waiting);
    held = nullptr;
    resume = nullptr;
    auto keep = std::exchange(self, nullptr);
    if (auto call = std::exchange(ended, nullptr)) call();
  }

  bool send(Parts parts, bool last) {
    std::array<char, 18> size_line;
    thread_local std::vector<iovec> out;
    out.clear();
    if (head_due) out.push_back(piece(waiting));
    if (!head_only) frame(parts, last, size_line, out);
    if (out.empty()) return true;
    size_t total = 0;
    for (const iovec& one : out) total += one.iov_len;
    const bool was_head_due = head_due;
    auto wrote = socket.write(out);
    stalled |= wrote.timed_out;
    if (wrote.status == IoStatus::failed) return fail_later();
    if (!was_head_due && wrote.bytes == total) return true;
    keep_rest(out, wrote.bytes, total);
    return !blocked;
  }

  void frame(Parts parts, bool last, std::array<char, 18>& size_line, std::vector<iovec>& out) const {
    size_t size = 0;
    for (std::string_view part : parts) size += part.size();
    if (size > 0) {
      char* end = std::to_chars(size_line.data(), size_line.data() + 16, size, 16).ptr;
      *end++ = '\r';
      *end++ = '\n';
      if (chunked) out.push_back(piece({size_line.data(), static_cast<size_t>(end - size_line.data())}));
      for (std::string_view part : parts) {
        if (!part.empty()) out.push_back(piece(part));
      }
      if (chunked) out.push_back(piece(line_end));
    }
    if (last && chunked) out.push_back(piece(last_chunk));
  }

  // Copies what the kernel did not take of this write; the parts belong to the caller and may be destroyed.
  void keep_rest(const std::vector<iovec>& out, size_t sent, size_t total) {
    std::string rest;
    if (sent < total) rest.reserve(total - sent);
    for (const iovec& one : out) {
      size_t skip = std::min(sent, one.iov_len);
      sent -= skip;
      rest.append(static_cast<const char*>(one.iov_base) + skip, one.iov_len - skip);
    }
    head_due = false;
    waiting.swap(rest);  // an assignment would keep the head's memory while the stream is idle
    if (!waiting.empty()) block();
  }

  void block() {
    blocked = true;
    stall.arm(stall_ms);
    socket.wait_writable([this] {
      auto keep = shared_from_this();
      on_writable();
    });
  }

  void on_writable() {
    iovec rest = piece(std::string_view(waiting).substr(taken));
    auto wrote = socket.write({&rest, 1});
    stalled |= wrote.timed_out;
    if (wrote.status == IoStatus::failed) return on_broken();
    bool progress = wrote.bytes > 0;
    taken += wrote.bytes;  // erase() would move megabytes of a large answer at every write
    if (taken < waiting.size()) {
      if (progress) stall.arm(stall_ms);
      return socket.wait_writable([this] {
        auto keep = shared_from_this();
        on_writable();
      });
    }
    std::string().swap(waiting);
    taken = 0;
    blocked = false;
    stall.cancel();
    if (finished) return give_back();
    owner->on_room();
  }

  bool fail_later() {
    failed = true;
    socket.loop().post([weak = weak_from_this()] {
      if (auto state = weak.lock()) state->on_broken();
    });
    return false;
  }

  void finish(Parts parts, std::shared_ptr<void> hold) {
    if (finished || failed || closed) return;
    finished = true;
    held = std::move(hold);
    self = shared_from_this();
    if (blocked) {
      append_end(parts);
    } else if (send(parts, true)) {
      give_back();
    }
  }

  void append_end(Parts parts) {
    if (head_only) return;
    std::array<char, 18> size_line;
    std::vector<iovec> out;
    frame(parts, true, size_line, out);
    for (const iovec& one : out) waiting.append(static_cast<const char*>(one.iov_base), one.iov_len);
  }

  // Later, not now: the next request may already be in `unread`, and finish() is called in the middle of a stream's
  // work.
  void give_back() {
    socket.cut_if_dropped(false);
    closed = true;
    held = nullptr;
    stall.cancel();
    socket.cancel_waits();
    socket.loop().post([state = std::exchange(self, nullptr)] {
      state->ended = nullptr;
      if (state->resume) state->resume(std::move(state->socket), std::move(state->unread));
    });
  }
};

StreamingBody::StreamingBody(TakenConnection connection, Options options, Owner& owner)
    : state_(std::make_shared<State>(std::move(connection), options, owner)) {
  state_->watch();
}

StreamingBody::~StreamingBody() {
  if (!state_->finished) state_->cut();
}

void StreamingBody::begin(int status, const HeaderList& headers) {
  state_->begin(status, headers);
}

bool StreamingBody::write(std::span<const std::string_view> parts) {
  return state_->has_room() && state_->send(parts, false);
}

bool StreamingBody::flush_head() {
  return state_->has_room() && (!state_->head_due || state_->send({}, false));
}

bool StreamingBody::has_room() const {
  return state_->has_room();
}

void StreamingBody::finish(std::span<const std::string_view> parts, std::shared_ptr<void> held) {
  state_->finish(parts, std::move(held));
}

void StreamingBody::cut() {
  state_->cut();
}

bool StreamingBody::stalled() const {
  return state_->stalled;
}

bool StreamingBody::over() const {
  return state_->finished || state_->closed;
}

}  // namespace tokenrelay::http
