#include "service/client/http_head.h"

#include "tests/support/catch.h"

using namespace tokenrelay;

TEST_CASE("heads: status lines after a 1xx, header names in any case, both forms of Retry-After") {
  client::HttpHead head;
  const int64_t now_ms = 784111777000 - 5000;  // five seconds before the date below
  for (const char* line : {"HTTP/1.1 103 Early Hints\r\n", "Content-Type: text/plain\r\n", "\r\n", "HTTP/2 429 \r\n"}) {
    CHECK_FALSE(client::take_head_line(head, line, now_ms));
  }
  CHECK_FALSE(client::take_head_line(head, "CONTENT-TYPE:  Text/Event-Stream; charset=utf-8\r\n", now_ms));
  CHECK_FALSE(client::take_head_line(head, "X-Should-Retry: true\r\n", now_ms));
  CHECK_FALSE(client::take_head_line(head, "no colon\r\n", now_ms));
  CHECK_FALSE(client::take_head_line(head, "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n", now_ms));
  CHECK(client::take_head_line(head, "\r\n", now_ms));
  CHECK(head.status == 429);
  CHECK(head.content_type == "text/event-stream");
  CHECK(head.should_retry == true);
  CHECK(head.retry_after_ms == 5000);
  CHECK(head.content_encoding == "");
  client::take_head_line(head, "Content-Encoding:  GZip \r\n", now_ms);
  CHECK(head.content_encoding == "gzip");
  client::take_head_line(head, "content-encoding: br", now_ms);
  CHECK(head.content_encoding == "gzip, br");

  const auto retry = [&](const char* line) {
    client::HttpHead fresh;
    client::take_head_line(fresh, line, now_ms);
    return fresh.retry_after_ms;
  };
  CHECK(retry("Retry-After: 1.5") == 1500);
  CHECK(retry("Retry-After-Ms: 20") == 20);
  CHECK(retry("Retry-After: 99999999999999999999") == 24 * 3600 * 1000);
  for (const char* bad : {"Retry-After: -1", "Retry-After: nan", "Retry-After: ", "Retry-After-Ms: 1x"})
    CHECK_FALSE(retry(bad));
}
