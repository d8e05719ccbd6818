// Random sizes, pauses and ends over raw sockets: nothing may stay in the kernel.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <random>
#include <thread>

#include "service/client/http_client.h"
#include "service/transport/loop.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace tokenrelay::client;

namespace {
bool send_all(int fd, std::string_view s) {
  while (!s.empty()) {
    const ssize_t n = send(fd, s.data(), s.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    s.remove_prefix(size_t(n));
  }
  return true;
}
// body of `size` bytes by request path /size/mode/seed ; mode 0 length, 1 close, 2 chunked
void serve(int fd) {
  std::string in;
  char buf[65536];
  for (;;) {
    size_t head;
    while ((head = in.find("\r\n\r\n")) == in.npos) {
      const ssize_t n = recv(fd, buf, sizeof buf, 0);
      if (n <= 0) return void(close(fd));
      in.append(buf, size_t(n));
    }
    int size = 0, mode = 0, seed = 0, early = 0;
    sscanf(in.c_str(), "POST /%d/%d/%d/%d", &size, &mode, &seed, &early);
    size_t length = 0;
    if (auto at = in.find("Content-Length: "); at != in.npos) length = size_t(atol(in.c_str() + at + 16));
    size_t have = in.size() - head - 4;
    in.clear();
    std::mt19937 rnd{unsigned(seed)};
    auto body_rest = [&] {
      while (have < length) {
        if (rnd() % 20 == 0) usleep(rnd() % 2000);
        const ssize_t n = recv(fd, buf, std::min(sizeof buf, length - have), 0);
        if (n <= 0) return;
        have += size_t(n);
      }
    };
    if (!early) body_rest();
    std::string out = "HTTP/1.1 200 OK\r\n";
    out += mode == 0   ? "Content-Length: " + std::to_string(size) + "\r\n\r\n"
           : mode == 1 ? "Connection: close\r\n\r\n"
                       : "Transfer-Encoding: chunked\r\n\r\n";
    std::string body(size_t(size), '.');
    for (size_t i = 0; i < body.size(); ++i) body[i] = char('a' + i % 23);
    if (mode == 2) {
      for (size_t at = 0; at < body.size();) {
        const size_t n = std::min<size_t>(body.size() - at, 1 + rnd() % 40000);
        char line[20];
        snprintf(line, sizeof line, "%zx\r\n", n);
        out += line + body.substr(at, n) + "\r\n";
        at += n;
      }
      out += "0\r\n\r\n";
    } else {
      out += body;
    }
    for (size_t at = 0; at < out.size();) {
      static const size_t sizes[] = {1, 100, 16384, 16383, 16385, 131072, 32768, 131072 + 1, 5000};
      const size_t n = std::min(out.size() - at, sizes[rnd() % 9]);
      if (!send_all(fd, std::string_view(out).substr(at, n))) return void(close(fd));
      at += n;
      if (rnd() % 3 == 0) usleep(rnd() % 3000);
    }
    if (early) body_rest();
    if (mode == 1) {
      if (rnd() % 2) usleep(rnd() % 3000);
      shutdown(fd, SHUT_WR);
      while (recv(fd, buf, sizeof buf, 0) > 0) {
      }
      return void(close(fd));
    }
    if (rnd() % 4 == 0) return void(close(fd));
  }
}

struct One final : TransferHandler {
  transport::Loop& loop;
  std::mt19937& rnd;
  std::unique_ptr<Transfer> transfer;
  transport::Timer timer;
  size_t size, got = 0;
  bool bad = false;
  std::optional<TransferEnd> end;
  std::function<void()> done;
  bool off = false;
  bool calm;
  One(transport::Loop& l, std::mt19937& r, size_t s)
      : loop(l), rnd(r), timer(l.timers(), [this] { tick(); }), size(s), calm(r() % 3 == 0) {}
  void tick() {
    if (end) return;
    if (off) {
      off = false;
      transfer->resume();
      if (rnd() % 4 == 0) {
        transfer->pause();
        transfer->resume();
      }
    } else if (!calm && rnd() % 2) {
      off = true;
      transfer->pause();
      if (rnd() % 3 == 0) {
        transfer->resume();
        off = false;
      }
    }
    timer.arm(rnd() % 2 ? 0 : 10);
  }
  void on_head(const HttpHead&) override {}
  void on_body(std::string_view b) override {
    for (char c : b) {
      if (c != char('a' + got % 23)) bad = true;
      ++got;
    }
    if (calm || !transfer) return;
    switch (rnd() % 8) {
      case 0:
        transfer->pause();
        off = true;
        break;
      case 1:
        transfer->pause();
        transfer->resume();
        break;
      case 2:
        transfer->pause();
        off = true;
        loop.post([this] {
          if (!end && off) {
            off = false;
            transfer->resume();
          }
        });
        break;
      default:
        break;
    }
  }
  void on_end(const TransferEnd& e) override {
    end = e;
    done();
  }
};
}  // namespace

TEST_CASE("edges: no byte and no end is left in the kernel", "[edges]") {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(listener, 100) == 0);
  socklen_t len = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &len);
  std::thread accepts([&] {
    for (;;) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const int yes = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      std::thread(serve, fd).detach();
    }
  });
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 rnd{seed};
  {
    transport::Loop loop;
    HttpClient client(loop);
    std::vector<std::unique_ptr<One>> all;
    const size_t total = 600;
    size_t ended = 0;
    std::function<void()> next = [&] {
      if (all.size() >= total) return;
      static const size_t sizes[] = {1, 10, 5000, 16384, 131072, 131072 * 2, 300000, 1000000};
      const size_t size = sizes[rnd() % 8] + rnd() % 3;
      auto one = std::make_unique<One>(loop, rnd, size);
      one->done = [&] {
        ++ended;
        if (ended == total) return loop.stop();
        loop.post(next);
      };
      HttpRequest request;
      const bool big = rnd() % 5 == 0;
      request.url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/" + std::to_string(size) + "/" +
                    std::to_string(rnd() % 3) + "/" + std::to_string(rnd() % 100000) + "/" +
                    std::to_string(big && rnd() % 2);
      request.body = std::make_shared<std::string>(big ? 6u << 20 : 10, 'x');
      request.timeouts = {5'000, 8'000, 8'000, 300};
      one->transfer = client.send(std::move(request), *one);
      one->timer.arm(0);
      all.push_back(std::move(one));
    };
    for (int i = 0; i < 40; ++i) next();
    transport::Timer late(loop.timers(), [&] { loop.stop(); });
    late.arm(90'000);
    loop.run();
    CHECK(ended == total);
    size_t wrong = 0;
    for (auto& one : all) {
      if (one->end && one->end->cause == TransferEnd::Cause::clean && one->got == one->size && !one->bad) continue;
      ++wrong;
      UNSCOPED_INFO("size " << one->size << " got " << one->got << " bad " << one->bad << " end "
                            << (one->end ? int(one->end->cause) : -1) << " " << (one->end ? one->end->message : ""));
    }
    CHECK(wrong == 0);
    all.clear();
  }
  shutdown(listener, SHUT_RDWR);
  close(listener);
  accepts.join();
}

TEST_CASE("urgent data does not leave what follows it in the kernel", "[urgent]") {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  socklen_t len = sizeof address;
  REQUIRE(listen(listener, 10) == 0);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &len);
  // The mark and what is on both sides of it lie in the kernel together: nothing is sent before the head was read, and
  // nothing read before all is sent.
  std::promise<void> head_read, all_sent;
  std::thread server([&] {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    char buf[4096];
    (void)!recv(fd, buf, sizeof buf, 0);
    send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
    head_read.get_future().wait_for(std::chrono::seconds(10));
    send_all(fd, "abc");
    (void)!send(fd, "!", 1, MSG_OOB | MSG_NOSIGNAL);
    send_all(fd, "def");
    all_sent.set_value();
    while (recv(fd, buf, sizeof buf, 0) > 0) {
    }
    close(fd);
  });
  struct Slow final : TransferHandler {
    transport::Loop* loop;
    std::promise<void>* read;
    std::promise<void>* sent;
    std::string body;
    std::optional<TransferEnd> end;
    void on_head(const HttpHead&) override {
      read->set_value();
      sent->get_future().wait_for(std::chrono::seconds(10));
    }
    void on_body(std::string_view b) override { body += b; }
    void on_end(const TransferEnd& e) override {
      end = e;
      loop->stop();
    }
  } slow;
  {
    transport::Loop loop;
    HttpClient client(loop);
    slow.loop = &loop;
    slow.read = &head_read;
    slow.sent = &all_sent;
    HttpRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    request.body = std::make_shared<std::string>("x");
    request.timeouts = {1'000, 1'500, 1'500, 300};
    const auto transfer = client.send(std::move(request), slow);
    loop.run();
  }
  REQUIRE(slow.end);
  CHECK(slow.body == "abcdef");
  CHECK(slow.end->cause == TransferEnd::Cause::clean);
  server.join();
  close(listener);
}
