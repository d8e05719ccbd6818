#include "service/http/websocket.h"

#include <sys/uio.h>
#include <wslay/wslay.h>

#include <utility>

#include "service/http/reply_head.h"
#include "service/transport/loop.h"
#include "service/transport/timer_wheel.h"

namespace tokenrelay::http {
namespace {

using transport::IoStatus;
constexpr int no_close_frame = 1006;

}  // namespace

struct WebSocket::State : std::enable_shared_from_this<State> {
  Owner* owner;
  Options options;
  transport::Socket socket;
  std::string unread;  // what came behind the handshake
  std::function<void()> ended;
  wslay_event_context_ptr wslay = nullptr;
  std::string out;  // frames that the kernel has not taken; empty while idle
  transport::Timer alive, stall;
  bool pinged = false, closing = false, closed = false, failed = false, in_call = false;
  bool reading = false, writing = false;  // a wait is pending

  State(TakenConnection&& taken, Options&& given, Owner& of)
      : owner(&of),
        options(std::move(given)),
        socket(std::move(taken.socket)),
        unread(std::move(taken.unread)),
        ended(std::move(taken.ended)),
        alive(socket.loop().timers(), [this] { on_alive_timer(); }),
        stall(socket.loop().timers(), [this] { end(true); }) {
    append_status_line(out, 101);
    append_headers(out, taken.head);
    append_headers(out, options.headers);
    out += "\r\n";
    options.headers.clear();
    options.headers.shrink_to_fit();
    wslay_event_callbacks callbacks{};
    callbacks.recv_callback = on_recv;
    callbacks.send_callback = on_send;
    callbacks.on_msg_recv_callback = on_msg;
    wslay_event_context_server_init(&wslay, &callbacks, this);
    wslay_event_config_set_max_recv_msg_length(wslay, options.message_bytes);
  }
  ~State() { wslay_event_context_free(wslay); }

  // ---- wslay's callbacks

  static ssize_t on_recv(wslay_event_context_ptr context, uint8_t* into, size_t room, int, void* user) {
    auto& self = *static_cast<State*>(user);
    if (!self.unread.empty()) {
      const size_t size = std::min(room, self.unread.size());
      std::copy_n(self.unread.begin(), size, into);
      self.unread.erase(0, size);
      return static_cast<ssize_t>(size);
    }
    // While answers wait for the peer to read them it is not read either.
    const auto got = self.out.size() > self.options.message_bytes
                         ? transport::IoResult{IoStatus::would_block}
                         : self.socket.read(reinterpret_cast<char*>(into), room);
    if (got.status == IoStatus::done) {
      self.pinged = false;
      return static_cast<ssize_t>(got.bytes);
    }
    if (got.status != IoStatus::would_block) self.failed = true;
    wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }

  // Frames gather in `out`, which leaves in one write.
  static ssize_t on_send(wslay_event_context_ptr, const uint8_t* data, size_t size, int, void* user) {
    static_cast<State*>(user)->out.append(reinterpret_cast<const char*>(data), size);
    return static_cast<ssize_t>(size);
  }

  static void on_msg(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* message, void* user) {
    auto& self = *static_cast<State*>(user);
    if (wslay_is_ctrl_frame(message->opcode) || self.closing || self.closed) {
      if (message->opcode == WSLAY_CONNECTION_CLOSE) self.closing = true;
      self.pump_pongs();
      return;
    }
    if (message->opcode == WSLAY_BINARY_FRAME) return self.begin_close(1003, "text messages only");
    self.owner->on_message({reinterpret_cast<const char*>(message->msg), message->msg_length});
  }

  // A pong joins `out` at once, so that its size counts against what may gather.
  void pump_pongs() { wslay_event_send(wslay); }

  // ---- the connection

  void begin() {
    set_alive();
    socket.give_up_after(options.write_stall_ms);
    run();
  }

  void set_alive() { alive.arm(pinged ? options.pong_ms : options.ping_ms); }

  void on_alive_timer() {
    if (closing || pinged) return end(true);
    pinged = true;
    wslay_event_msg ping{WSLAY_PING, nullptr, 0};
    wslay_event_queue_msg(wslay, &ping);
    set_alive();
    run();
  }

  // Reads what is there, writes what is due, waits for more.
  void run() {
    if (closed) return;
    const auto keep = shared_from_this();
    in_call = true;
    const bool pinged_before = pinged;
    if (wslay_event_want_read(wslay) && wslay_event_recv(wslay) != 0) failed = true;
    in_call = false;
    if (pinged_before && !pinged) set_alive();
    flush();
    if (closed) return;
    const bool said_goodbye = wslay_event_get_close_sent(wslay) != 0;
    const bool both = said_goodbye && wslay_event_get_close_received(wslay) != 0;
    if (failed || (out.empty() && both)) return end(false);
    if (said_goodbye && !std::exchange(closing, true)) alive.arm(options.close_ms);
    if (out.empty() && said_goodbye && !wslay_event_get_read_enabled(wslay))
      return end(false);  // it broke the protocol: no answer is due
    watch();
  }

  void watch() {
    if (out.size() <= options.message_bytes && !std::exchange(reading, true)) {
      socket.wait_readable([this] {
        reading = false;
        run();
      });
    }
    if (!out.empty() && !std::exchange(writing, true)) {
      socket.wait_writable([this] {
        writing = false;
        const auto keep = shared_from_this();
        run();
        if (!closed && !closing && out.empty()) owner->on_room();
      });
    }
  }

  void flush() {
    wslay_event_send(wslay);
    if (out.empty() || closed) return;
    const iovec part{out.data(), out.size()};
    const auto wrote = socket.write({&part, 1});
    if (wrote.status == IoStatus::failed) failed = true;
    if (wrote.bytes > 0) stall.cancel();
    out.erase(0, wrote.bytes);
    if (out.empty()) {
      std::string().swap(out);
    } else if (!stall.armed()) {
      stall.arm(options.write_stall_ms);
    }
  }

  // Called from outside: what broke is told later, never from inside the call.
  void flush_soon() {
    if (in_call || closed) return;  // run() flushes
    flush();
    if (failed || wslay_event_get_close_sent(wslay)) {
      socket.loop().post([self = shared_from_this()] { self->run(); });
    } else {
      watch();
    }
  }

  void begin_close(uint16_t code, std::string_view reason) {
    if (closing || closed) return;
    closing = true;
    wslay_event_queue_close(wslay, code, reinterpret_cast<const uint8_t*>(reason.data()), reason.size());
    alive.arm(options.close_ms);
    flush_soon();
  }

  int close_code() const {
    const int received =
        wslay_event_get_close_received(wslay) ? wslay_event_get_status_code_received(wslay) : no_close_frame;
    const int sent = wslay_event_get_close_sent(wslay) ? wslay_event_get_status_code_sent(wslay) : no_close_frame;
    const int code = sent != no_close_frame ? sent : received;
    return code == 0 ? 1005 : code;
  }

  void end(bool by_cut) {
    if (closed) return;
    const auto keep = shared_from_this();
    Owner* told = owner;
    shut(by_cut);
    told->on_gone(close_code());
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
  auto& s = *state_;
  if (s.closed || s.closing) return false;
  wslay_event_msg message{WSLAY_TEXT_FRAME, reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  wslay_event_queue_msg(s.wslay, &message);
  wslay_event_send(s.wslay);
  return true;
}

void WebSocket::flush() {
  state_->flush_soon();
}

bool WebSocket::has_room() const {
  return state_->out.empty() && !over();
}

void WebSocket::close(uint16_t code, std::string_view reason) {
  state_->begin_close(code, reason);
}

void WebSocket::cut() {
  if (!state_->closed) state_->shut(true);
}

bool WebSocket::over() const {
  return state_->closed || state_->closing;
}

}  // namespace tokenrelay::http
