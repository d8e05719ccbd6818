// What Chat Completions is told of a conversation that another surface wrote.
#include "service/upstream/chat/turns.h"

#include "service/json/parse.h"
#include "tests/support/catch.h"

using namespace tokenrelay;

TEST_CASE("Chat Completions' messages: untouched unless they hold what it has no words for") {
  const std::pair<const char*, const char*> cases[] = {
      {R"([ {"role":"user","content":"spaces  stay"} ])", R"([ {"role":"user","content":"spaces  stay"} ])"},
      {R"([{"role":"user","content":"thinking\""}])", R"([{"role":"user","content":"thinking\""}])"},
      {R"([{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":"s"},{"type":"text","text":"a"}]}])",
       R"([{"role":"assistant","content":"a"}])"},
      {R"([{"role":"assistant","content":[{"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"},{"type":"text","text":"b"}]}])",
       R"([{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])"},
      {R"([{"role":"assistant","content":[{"type":"reasoning","id":"r"}]}])", R"([{"role":"assistant","content":""}])"},
      {R"([{"role":"assistant","content":[{"type":"reasoning","id":"r"}],"tool_calls":[{"id":"c"}]}])",
       R"([{"role":"assistant","content":null,"tool_calls":[{"id":"c"}]}])"},
      {R"([{"role":"assistant","reasoning":"kept","content":[{"type":"text","text":"a"}]}])",
       R"([{"role":"assistant","reasoning":"kept","content":[{"type":"text","text":"a"}]}])"},
      {R"([{"role":"tool","tool_call_id":"c","is_error":true,"content":"bad"}])",
       R"([{"role":"tool","tool_call_id":"c","content":"Error: bad"}])"},
      {R"([{"role":"tool","is_error":true,"content":[{"type":"image_url","image_url":{"url":"https://a"}}]}])",
       R"([{"role":"tool","content":[{"type":"text","text":"Error: "},{"type":"image_url","image_url":{"url":"https://a"}}]}])"},
      {R"([{"role":"tool","is_error":false,"content":"ok"}])", R"([{"role":"tool","content":"ok"}])"},
      {R"([1,{"role":"tool","is_error":true}])", R"([1,{"role":"tool","content":"Error: "}])"},
      {R"("thinking")", R"("thinking")"},
      {R"({"is_error":)", R"({"is_error":)"}};
  for (const auto& [given, sent] : cases) CHECK(upstream::openai_messages(given) == sent);
}
