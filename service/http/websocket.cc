#include "service/http/websocket.h"

#include <sys/uio.h>

#include <algorithm>
#include <utility>

#include "service/http/reply_head.h"
#include "service/http/websocket_reader.h"
#include "service/transport/loop.h"
#include "service/transport/timer_wheel.h"

namespace tokenrelay::http {
namespace {

using transport::IoStatus;
using Kind = WebSocketReader::Item::Kind;

constexpr uint16_t no_close_frame = 1006;
constexpr size_t ping_allowance = 64;      // what a ping itself may take, under TLS too
constexpr size_t bytes_a_turn = 64 << 10;  // a peer that never stops sending must not occupy the loop
enum Opcode : uint8_t { text_frame = 1, close_frame = 8, ping_frame = 9, pong_frame = 10 };

// A server's frame is never masked and, here, never a fragment (RFC 6455 5.2).
void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
  out += static_cast<char>(0x80 | opcode);
  const uint64_t size = payload.size();
  const int length_bytes = size < 126 ? 0 : size <= 0xffff ? 2 : 8;
  out += static_cast<char>(length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127);
  for (int i = length_bytes; i-- > 0;) out += static_cast<char>(size >> (8 * i) & 0xff);
  out += payload;
}

}  // namespace

struct WebSocket::State : std::enable_shared_from_this<State> {
  struct Goodbye {
    uint16_t code;
    std::string reason;
  };

  Owner* owner;
  Options options;
  transport::Socket socket;
  std::string unread;  // bytes after the handshake
  std::function<void()> ended;
  WebSocketReader reader;
  std::string out;  // frames that the kernel has not taken; empty while idle
  transport::Timer alive, stall;
  std::unique_ptr<Goodbye> goodbye;  // how it ends, once known; its close frame waits until no answer is due
  size_t turn_left = 0;
  size_t queued = 0;        // bytes that the peer's kernel had not taken, when last checked since the ping
  int64_t progress_ms = 0;  // time of the ping, or when `queued` last fell
  bool kept = false;        // the kernel did not take all of the last write
  bool stalled = false;
  bool behind = false;               // since the ping there were bytes before it that the peer had not taken
  bool said = false, heard = false;  // our close frame, the peer's
  bool broken = false;               // the peer broke the protocol: nothing more is read from it
  bool lingering = false, closed = false;
  bool pinged = false, failed = false, in_call = false;
  bool reading = false, writing = false, again = false;  // a wait, a turn is pending

  State(TakenConnection&& taken, Options&& given, Owner& of)
      : owner(&of),
        options(std::move(given)),
        socket(std::move(taken.socket)),
        unread(std::move(taken.unread)),
        ended(std::move(taken.ended)),
        reader(options.message_bytes, [this](uint8_t* into, size_t room) { return receive(into, room); }),
        alive(socket.loop().timers(), [this] { on_alive_timer(); }),
        stall(socket.loop().timers(), [this] { cut_slow(); }) {
    append_status_line(out, 101);
    append_headers(out, taken.head);
    append_headers(out, options.headers);
    out += "\r\n";
    options.headers.clear();
    options.headers.shrink_to_fit();
  }

  void begin() {
    if (!goodbye) alive.arm(options.ping_ms);
    // Else a peer that reads nothing occupies megabytes of kernel memory, and pings wait behind them.
    socket.prepare_for_stream();
    socket.give_up_after(options.write_stall_ms);
    run();
  }

  // ---- in

  // While the peer does not read its answers, it is not read.
  size_t receive(uint8_t* into, size_t room) {
    if (out.size() > options.message_bytes || failed) return 0;
    if (!unread.empty()) {
      const size_t size = std::min(room, unread.size());
      std::copy_n(unread.begin(), size, into);
      unread.erase(0, size);
      return size;
    }
    room = std::min(room, turn_left);
    if (room == 0) return 0;
    const auto got = socket.read(reinterpret_cast<char*>(into), room);
    if (got.status != IoStatus::done) {
      failed = got.status != IoStatus::would_block;
      return 0;
    }
    turn_left -= got.bytes;
    if (std::exchange(pinged, false)) alive.arm(options.ping_ms);
    return got.bytes;
  }

  void read_messages() {
    while (!broken && !heard && !closed) {
      const auto item = reader.next();
      if (item.kind == Kind::nothing) return;
      if (item.kind == Kind::violation) {
        broken = true;
        leave(item.code, {});
      } else if (item.kind == Kind::close) {
        heard = true;
        leave(item.code, item.payload);
      } else if (item.kind == Kind::ping && !said) {
        append_frame(out, pong_frame, item.payload);
      } else if (item.kind == Kind::text && !goodbye) {
        owner->on_message(item.payload);
      }
    }
  }

  // ---- a turn: reads what is there, writes what is due, waits for more

  void run() {
    if (closed) return;
    const auto keep = shared_from_this();
    if (lingering) return linger();
    turn_left = bytes_a_turn;
    in_call = true;
    read_messages();
    in_call = false;
    const bool had_output = !out.empty();
    flush();
    if (failed) return end(false);
    if (said && out.empty() && (heard || broken)) return begin_linger();
    if (had_output && out.empty() && !goodbye) owner->on_room();
    if (!closed) watch();
  }

  void run_again() {
    if (std::exchange(again, true)) return;
    socket.loop().post([self = shared_from_this()] {
      self->again = false;
      self->run();
    });
  }

  void watch() {
    const bool may_read = out.size() <= options.message_bytes;
    if (may_read && !broken && !heard && !unread.empty()) run_again();
    if (may_read && !std::exchange(reading, true)) {
      socket.wait_readable([this] {
        reading = false;
        broken || heard ? linger() : run();
      });
    }
    if (!out.empty() && !std::exchange(writing, true)) {
      socket.wait_writable([this] {
        writing = false;
        run();
      });
    }
  }

  void on_alive_timer() {
    if (goodbye) return end(true);
    if (pinged) return look_for_life();
    pinged = true;
    progress_ms = now_ms();
    queued = unread_by_peer();
    behind = queued > 0;
    append_frame(out, ping_frame, {});
    alive.arm(options.pong_ms);
    run();
  }

  // No pong. A peer can answer a ping only after reading what was sent before it. While it takes that, however slowly,
  // it is alive, and the limit is that of a stream. A peer that had nothing to read is gone.
  void look_for_life() {
    const size_t left = unread_by_peer();
    behind |= left > ping_allowance;
    if (left < std::exchange(queued, left) && behind) progress_ms = now_ms();
    const int64_t limit = behind ? std::max(options.write_stall_ms, options.pong_ms) : options.pong_ms;
    const int64_t rest = progress_ms + limit - now_ms();
    if (rest <= 0) return behind ? cut_slow() : end(true);
    alive.arm(std::min(rest, options.pong_ms));
  }

  size_t unread_by_peer() const { return out.size() + socket.unacknowledged_bytes(); }
  int64_t now_ms() const { return socket.loop().clock().coarse_ms(); }

  // ---- out

  void flush() {
    if (goodbye && !said && !owner->answers_due()) say_goodbye();
    if (out.empty() || closed) return;
    const iovec part{out.data(), out.size()};
    const auto wrote = socket.write({&part, 1});
    if (wrote.status == IoStatus::failed) failed = true;
    stalled |= wrote.timed_out;
    if (wrote.bytes > 0) stall.cancel();
    if (wrote.bytes > 0 && kept && pinged) progress_ms = now_ms();
    out.erase(0, wrote.bytes);
    kept = !out.empty();
    behind |= kept;
    if (out.empty()) {
      std::string().swap(out);
    } else if (!stall.armed()) {
      stall.arm(options.write_stall_ms);
    }
  }

  // Called from outside: a failure is reported later, never inside the call.
  void flush_soon() {
    if (in_call || closed || lingering) return;  // run() flushes
    flush();
    if (failed || said) return run_again();
    watch();
  }

  // ---- the end

  // The answers to its commands leave before the close frame; they have as long as a pong.
  void leave(uint16_t code, std::string_view reason) {
    if (goodbye || closed) return;
    goodbye = std::make_unique<Goodbye>(Goodbye{code, std::string(reason)});
    pinged = false;
    alive.arm(options.ping_ms + options.pong_ms);
  }

  void say_goodbye() {
    said = true;
    std::string payload;
    if (goodbye->code != WebSocketReader::no_code) {
      payload += static_cast<char>(goodbye->code >> 8);
      payload += static_cast<char>(goodbye->code & 0xff);
      payload += goodbye->reason;
    }
    append_frame(out, close_frame, payload);
    alive.arm(options.close_ms);
  }

  // Both close frames are done. Closing at once with unread bytes would send a reset, which could overtake our close
  // frame.
  void begin_linger() {
    lingering = true;
    socket.end_writing();
    linger();
  }

  // Drops what still arrives, until the peer closes or the time is over.
  void linger() {
    if (closed) return;
    const auto keep = shared_from_this();
    char dropped[4096];
    for (size_t left = bytes_a_turn; left >= sizeof dropped; left -= sizeof dropped) {
      const auto got = socket.read(dropped, sizeof dropped);
      if (got.status == IoStatus::would_block) return watch();
      if (got.status != IoStatus::done) return end(false);
    }
    watch();
  }

  void cut_slow() {
    stalled = true;
    end(true);
  }

  void end(bool by_cut) {
    if (closed) return;
    const auto keep = shared_from_this();
    Owner* told = owner;
    shut(by_cut);
    told->on_gone(goodbye && (said || heard) ? goodbye->code : no_close_frame);
  }

  void shut(bool by_cut) {
    closed = true;
    alive.cancel();
    stall.cancel();
    by_cut ? socket.cut() : socket.close();
    if (auto call = std::exchange(ended, nullptr)) call();
  }
};

WebSocket::WebSocket(TakenConnection connection, Options options, Owner& owner)
    : state_(std::make_shared<State>(std::move(connection), std::move(options), owner)) {
  state_->socket.loop().post([state = std::weak_ptr<State>(state_)] {
    if (const auto alive = state.lock(); alive && !alive->closed) alive->begin();
  });
}

WebSocket::~WebSocket() {
  cut();
}

bool WebSocket::send(std::string_view text) {
  if (state_->closed || state_->said) return false;
  append_frame(state_->out, text_frame, text);
  return true;
}

void WebSocket::flush() {
  state_->flush_soon();
}

bool WebSocket::has_room() const {
  return state_->out.empty() && !over();
}

void WebSocket::close(uint16_t code, std::string_view reason) {
  state_->leave(code, reason);
  state_->flush_soon();
}

void WebSocket::cut() {
  if (!state_->closed) state_->shut(true);
}

bool WebSocket::stalled() const {
  return state_->stalled;
}

bool WebSocket::over() const {
  return state_->closed || state_->goodbye;
}

}  // namespace tokenrelay::http
