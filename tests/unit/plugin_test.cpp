#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/plugin/catalog.hpp"
#include "core/plugin/example.hpp"
#include "core/plugin/identity.hpp"
#include "core/plugin/schema.hpp"
#include "core/plugin/text_rules.hpp"
#include "tests/unit/elf_file.hpp"
#include "tests/unit/fake_plugins.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace certcast;
using namespace certcast::testing;
using Type = ParameterType;
using Kind = RawValue::Kind;

namespace {

void encode_params(const std::vector<Parameter>& params, wire::Writer& out) {
    const auto texts = [&](const std::vector<std::string>& all) {
        out.u32(static_cast<std::uint32_t>(all.size()));
        for (const std::string& one : all) out.text(one);
    };
    out.u32(static_cast<std::uint32_t>(params.size()));
    for (const Parameter& param : params) {
        out.text(param.name);
        out.text(param.doc);
        out.u32(static_cast<std::uint32_t>(param.type));
        out.u32(static_cast<std::uint32_t>(param.element_type));
        out.u64(param.flags);
        texts(param.aliases);
        texts(param.choices);
        out.i64(param.min);
        out.i64(param.max);
        out.u8(param.default_value ? 1 : 0);
        out.text(param.default_value.value_or(""));
        out.text(param.pattern);
        encode_params(param.fields, out);
    }
}

std::vector<std::byte> encoded(const std::vector<Descriptor>& deployers) {
    wire::Writer out;
    out.u32(1);
    out.u8(1);
    out.u32(static_cast<std::uint32_t>(deployers.size()));
    for (const Descriptor& deployer : deployers) {
        for (const std::string* text :
             {&deployer.id, &deployer.version, &deployer.name, &deployer.vendor, &deployer.url}) {
            out.text(*text);
        }
        out.u64(deployer.needs);
        encode_params(deployer.params, out);
        out.u32(static_cast<std::uint32_t>(deployer.files.size()));
        for (const FileGrant& file : deployer.files) {
            out.text(file.path);
            out.u64(file.flags);
        }
        out.u32(stage_count);
        for (const Duration timeout : deployer.stage_timeouts) {
            out.u64(static_cast<std::uint64_t>(timeout.count()));
        }
        out.u64(static_cast<std::uint64_t>(deployer.grace.count()));
        out.u64(static_cast<std::uint64_t>(deployer.longest_protect.count()));
        out.u32(deployer.max_certificates);
        out.u32(deployer.max_parallel);
        out.u32(deployer.stages);
    }
    return {out.data().begin(), out.data().end()};
}

Descriptor rich_deployer() {
    Descriptor descriptor = deployer("org.example.rich", every_type());
    descriptor.needs = CERTCAST_NEEDS_KEY;
    descriptor.files = {{"/etc/rich", CERTCAST_READS}};
    descriptor.stage_timeouts[3] = Duration(7000);
    descriptor.grace = Duration(9000);
    descriptor.max_certificates = 2;
    return descriptor;
}

std::string refusal(const std::vector<Descriptor>& deployers) {
    const auto library = decode_library(encoded(deployers), "/lib/x.so");
    return library ? "nothing wrong" : library.error().text();
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

RawValue raw(const char* text) {
    RawValue value;
    value.kind = Kind::text;
    value.text = text;
    return value;
}

RawValue raw(std::int64_t integer) {
    RawValue value;
    value.kind = Kind::integer;
    value.integer = integer;
    return value;
}

RawValue raw(bool boolean) {
    RawValue value = raw(std::int64_t{boolean ? 1 : 0});
    value.kind = Kind::boolean;
    return value;
}

RawValue raw_list(std::vector<RawValue> elements) {
    RawValue value;
    value.kind = Kind::list;
    for (RawValue& element : elements) value.entries.push_back({{}, {}, std::move(element)});
    return value;
}

RawValue raw_table(std::vector<std::pair<std::string, RawValue>> entries) {
    RawValue value;
    std::uint32_t line = 0;
    for (auto& [key, entry] : entries) {
        entry.location = {"p", ++line, 7};
        value.entries.push_back({key, {"p", line, 1}, std::move(entry)});
    }
    return value;
}

struct Checked {
    Value value;
    std::vector<std::string> messages;
};

Checked check(const RawValue& config, const std::vector<Parameter>& params = every_type()) {
    SchemaContext context;
    context.folder = "/etc/pipelines";
    context.certificates = {"shop", "mail"};
    context.secret = [](const RawValue& reference, const std::string&) {
        return reference.find("secret")->text;
    };
    Diagnostics diagnostics;
    Checked checked;
    checked.value = check_config(config, params, "config", context, diagnostics);
    for (const Diagnostic& diagnostic : diagnostics.take()) {
        checked.messages.push_back(diagnostic.text());
    }
    return checked;
}

}  // namespace

TEST_CASE("a described library is read as it was written") {
    const auto library = decode_library(encoded({rich_deployer(), deployer("plain", {})}), "/x.so");
    REQUIRE(library.has_value());
    CHECK(library->path == "/x.so");
    CHECK(library->cold_start);
    REQUIRE(library->deployers.size() == 2);
    const Descriptor& rich = library->deployers[0];
    CHECK(rich.id == "org.example.rich");
    CHECK(rich.needs == CERTCAST_NEEDS_KEY);
    CHECK(rich.params.size() == every_type().size());
    CHECK(rich.params[0].default_value.value() == "443");
    CHECK(rich.params[5].fields[0].has(CERTCAST_IDENTITY));
    CHECK(rich.files[0].path == "/etc/rich");
    CHECK(rich.stage_timeouts[3] == Duration(7000));
    CHECK(rich.grace == Duration(9000));
    CHECK(rich.max_certificates == 2);
    CHECK(rich.has(Stage::deploy));
    CHECK_FALSE(rich.has(Stage::inspect));
}

TEST_CASE("a library is described once, and looked at whenever its description is used again") {
    namespace fs = std::filesystem;
    const TemporaryFolder folder;
    const fs::path good = folder.write("good/x.so", ElfFile().bytes);
    const fs::path broken = folder.write("broken/x.so", ElfFile({.functions = {}}).bytes);
    int described = 0;
    const auto find = [&](const fs::path& library) {
        Catalog catalog(
            {library.parent_path()},
            [&](const fs::path&) -> Result<std::vector<std::byte>> {
                ++described;
                return encoded({deployer("x", {})});
            },
            folder / "cache");
        const auto found = catalog.find("x");
        return found ? found->second->id : found.error().text();
    };
    CHECK(find(good) == "x");
    CHECK(find(good) == "x");
    CHECK(described == 1);
    CHECK(contains(find(broken), "exports no function certcast_plugin_v1"));
    CHECK(described == 1);
    fs::permissions(good, fs::perms(0666));
    CHECK(contains(find(good), "chmod g-w,o-w " + good.string()));
}

TEST_CASE("a description that ends anywhere too early is refused") {
    const std::vector<std::byte> whole = encoded({rich_deployer()});
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        REQUIRE(decode_library(std::span(whole).first(size), "/x.so").has_error());
    }
    std::vector<std::byte> longer = whole;
    longer.push_back({});
    CHECK(contains(decode_library(longer, "/x.so").error().text(), "longer than expected"));
}

TEST_CASE("a description with any byte damaged does no harm") {
    const std::vector<std::byte> whole = encoded({rich_deployer()});
    for (std::size_t i = 0; i < whole.size(); ++i) {
        for (const int damage : {0x00, 0x7f, 0xff}) {
            std::vector<std::byte> bytes = whole;
            bytes[i] = static_cast<std::byte>(damage);
            (void)decode_library(bytes, "/x.so");
        }
    }
}

TEST_CASE("a wrong descriptor is refused with the names of deployer and parameter") {
    struct Wrong {
        const char* what;
        std::function<void(Descriptor&)> make;
        const char* expected;
    };
    const auto with = [](Parameter param) {
        return [param](Descriptor& descriptor) { descriptor.params = {param}; };
    };
    Parameter enum_without_choices = parameter("mode", Type::choice);
    Parameter object_without_fields = parameter("box", Type::object);
    Parameter list_without_element = parameter("all", Type::list);
    Parameter command_with_default = parameter("run", Type::command);
    command_with_default.default_value = "true";
    Parameter wrong_default = parameter("port", Type::integer);
    wrong_default.default_value = "many";
    Parameter default_out_of_range = parameter("port", Type::integer);
    default_out_of_range.min = 1;
    default_out_of_range.max = 10;
    default_out_of_range.default_value = "11";
    Parameter bad_pattern = parameter("word", Type::text);
    bad_pattern.pattern = "[a-";
    Parameter long_default = parameter("word", Type::text);
    long_default.pattern = "a*";
    long_default.default_value = std::string(129, 'a');
    Parameter unknown_type = parameter("odd", static_cast<Type>(99));
    Parameter empty_range = parameter("port", Type::integer);
    empty_range.min = 5;
    Parameter nested = parameter("deep", Type::text);
    for (int i = 0; i < 5; ++i) {
        Parameter outer = parameter("deep", Type::object);
        outer.fields = {nested};
        nested = outer;
    }
    const Wrong table[] = {
        {"id", [](Descriptor& d) { d.id = "Not an id"; }, "reverse DNS"},
        {"no stage", [](Descriptor& d) { d.stages = 0; }, "no deploy stage"},
        {"control", [](Descriptor& d) { d.name = "a\x1b[2J"; }, "its name holds a control"},
        {"utf8", [](Descriptor& d) { d.vendor = "\xff"; }, "its vendor is not UTF-8"},
        {"long", [](Descriptor& d) { d.name.assign(5000, 'x'); }, "longer than 4096"},
        {"file",
         [](Descriptor& d) {
             d.files = {{"etc", 0}};
         },
         "no absolute path"},
        {"grace", [](Descriptor& d) { d.grace = Duration(-1); }, "ten years"},
        {"many", [](Descriptor& d) { d.params.resize(600, parameter("a", Type::text)); }, "600"},
        {"name", with(parameter("Bad-Name", Type::text)), "\"Bad-Name\" is wrong"},
        {"type", with(unknown_type), "parameter \"odd\": its type 99 is unknown"},
        {"none", with(parameter("odd", Type::none)), "parameter \"odd\": it has no type"},
        {"enum", with(enum_without_choices), "parameter \"mode\": an ENUM needs choices"},
        {"object", with(object_without_fields), "parameter \"box\": an OBJECT needs fields"},
        {"list", with(list_without_element), "parameter \"all\": its elements have no type"},
        {"command", with(command_with_default), "parameter \"run\": its default is wrong"},
        {"default", with(wrong_default), "expected a whole number, found \"many\""},
        {"range", with(default_out_of_range), "expected at most 10, found 11"},
        {"pattern", with(bad_pattern), "parameter \"word\": the pattern is no ECMAScript"},
        {"matched", with(long_default), "parameter \"word\": its default is longer than 128"},
        {"min", with(empty_range), "its min is larger than its max"},
        {"deep", with(nested), "nested deeper than 4"},
        {"twice",
         [](Descriptor& d) {
             d.params = {parameter("a", Type::text), parameter("a", Type::text)};
         },
         "parameter \"a\" is declared twice"},
    };
    for (const Wrong& wrong : table) {
        SUBCASE(wrong.what) {
            Descriptor descriptor = deployer("org.example.x", {});
            wrong.make(descriptor);
            const std::string text = refusal({descriptor});
            CAPTURE(text);
            CHECK(contains(text, wrong.expected));
            CHECK(contains(text, descriptor.id));
            CHECK(contains(text, "/lib/x.so: "));
        }
    }
    CHECK(contains(refusal({}), "no deployer"));
    CHECK(contains(refusal({deployer("a", {}), deployer("a", {})}), "twice"));
}

TEST_CASE("a right configuration becomes an object in the schema's order") {
    const RawValue config = raw_table(
        {{"fast", raw(true)},
         {"files",
          raw_list({raw_table({{"path", raw("tls/../a.pem")}, {"certificate", raw("mail")}})})},
         {"delay", raw("20s")},
         {"mode", raw("safe")},
         {"word", raw("abc12")},
         {"labels", raw_table({{"b", raw("1")}, {"a", raw("2")}})},
         {"password", raw_table({{"secret", raw("fleet")}})},
         {"link", raw("https://h:8443/x")},
         {"host", raw("[::1]:443")},
         {"reload", raw_list({raw("nginx"), raw("-s")})}});
    const Checked checked = check(config);
    CHECK(checked.messages.empty());
    const Value& value = checked.value;
    CHECK(value.type == Type::object);
    REQUIRE(value.entries.size() == every_type().size());
    for (std::size_t i = 0; i < value.entries.size(); ++i) {
        CHECK(value.entries[i].key == every_type()[i].name);
    }
    CHECK(value.find("port")->integer == 443);
    CHECK(value.find("mode")->text == "safe");
    CHECK(value.find("pause")->integer == 20'000);
    CHECK(value.find("labels")->entries[0].key == "b");
    const Value& file = value.find("files")->entries[0].value;
    CHECK(file.find("path")->text == "/etc/pipelines/a.pem");
    CHECK(file.find("certificate")->integer == 1);
    CHECK(value.find("old")->type == Type::none);
    CHECK(value.find("fast")->integer == 1);
    CHECK(value.find("password")->text == "fleet");
    CHECK(value.find("host")->text == "[::1]:443");
    CHECK(value.find("reload")->texts() == std::vector<std::string>{"nginx", "-s"});
}

TEST_CASE("every mistake in a configuration is reported, each at its place") {
    struct Wrong {
        const char* key;
        RawValue value;
        const char* expected;
    };
    const RawValue untold = raw_table({{"certificate", raw("shop")}});
    const RawValue named = raw_table({{"path", raw("x")}});
    const Wrong table[] = {
        {"prot", raw(std::int64_t{1}),
         "p:1:1: error: config has no parameter \"prot\"; did you mean \"port\"?"},
        {"port", raw("443"), "p:1:7: error: config.port: expected a whole number, found \"443\""},
        {"port", raw(std::int64_t{70000}), "config.port: expected at most 65535, found 70000"},
        {"mode", raw("saef"), "expected one of \"fast\", \"safe\", found \"saef\"; did you mean"},
        {"word", raw("ABC"), "expected a text that matches \"[a-z]+[0-9]*\", found \"ABC\""},
        {"pause", raw(std::int64_t{30}),
         "expected a duration, like \"30s\", found 30; write \"30s\""},
        {"pause", raw("2m"), "expected at most 1m, found 2m"},
        {"pause", raw("soon"), "\"soon\" is no duration"},
        {"labels", raw("x"), "expected a table of names and values"},
        {"labels", raw_table({{"a", raw(true)}}), "config.labels.a: expected a string, found true"},
        {"files", raw("x"), "expected a list, each element a table, found \"x\"; write it in br"},
        {"files", raw_list({untold}), "config.files[0].path is missing: expected a path"},
        {"files", raw_list({named, named, named, named}), "at most 3 entries, found 4"},
        {"fast", raw("true"), "expected true or false, found \"true\""},
        {"link", raw("example.com"), "begins with no scheme"},
        {"link", raw("https://u:hunter2@h/"), "holds a password"},
        {"host", raw("h:0"), "port is not between"},
        {"host", raw("::1:443"), "needs brackets"},
        {"host", raw("h"), "port is missing"},
        {"reload", raw("nginx -t"), "not split at spaces"},
        {"reload", raw_list({}), "found an empty list"},
        {"reload", raw_list({raw("a"), raw("")}), "a word of the command is empty"},
    };
    for (const Wrong& wrong : table) {
        SUBCASE(wrong.expected) {
            const Checked checked = check(raw_table({{wrong.key, wrong.value}}));
            REQUIRE(!checked.messages.empty());
            CAPTURE(checked.messages[0]);
            CHECK(contains(checked.messages[0], wrong.expected));
            CHECK_FALSE(contains(checked.messages[0], "hunter2"));
        }
    }
    CHECK(check(raw_table({{"port", raw("x")}, {"fast", raw("x")}, {"nope", raw("x")}}))
              .messages.size() == 3);
}

TEST_CASE("a deprecated parameter is warned about and an alias given twice is an error") {
    CHECK(check(raw_table({{"old", raw("x")}})).messages ==
          std::vector<std::string>{"p:1:1: warning: config.old is deprecated: use word"});
    const auto messages = check(raw_table({{"pause", raw("2s")}, {"delay", raw("2s")}})).messages;
    REQUIRE(messages.size() == 1);
    CHECK(contains(messages[0], "p:2:1: error: config.delay is another name of pause"));
}

TEST_CASE("a certificate must be one of the deployment's") {
    const RawValue file = raw_table({{"path", raw("/x")}, {"certificate", raw("shopp")}});
    const auto messages = check(raw_table({{"files", raw_list({file})}})).messages;
    REQUIRE(messages.size() == 1);
    CHECK(contains(messages[0],
                   "config.files[0].certificate: the deployment has no certificate "
                   "\"shopp\"; did you mean \"shop\"?"));
}

TEST_CASE("an untyped text stands for numbers and truth values") {
    RawValue port = raw("8443");
    port.untyped = true;
    RawValue fast = raw("true");
    fast.untyped = true;
    const Checked checked = check(raw_table({{"port", port}, {"fast", fast}}));
    CHECK(checked.messages.empty());
    CHECK(checked.value.find("port")->integer == 8443);
    CHECK(checked.value.find("fast")->integer == 1);
}

TEST_CASE("a path that must exist is looked for") {
    const std::vector<Parameter> params{parameter("path", Type::path, CERTCAST_MUST_EXIST)};
    CHECK(check(raw_table({{"path", raw("/")}}), params).messages.empty());
    const auto messages = check(raw_table({{"path", raw("/no/such")}}), params).messages;
    REQUIRE(messages.size() == 1);
    CHECK(contains(messages[0], "\"/no/such\" must exist: No such file"));
}

TEST_CASE("a URL that may hold a password is never shown") {
    for (const char* url : {"https://u:hunter2@h/", "HTTPS://u:hunter2@h/", "https://u:hunter 2@h/",
                            "u:hunter2@h", "https://u:hunter2@:1/"}) {
        const auto wrong = wrong_url(url);
        REQUIRE(wrong.has_value());
        CAPTURE(*wrong);
        CHECK_FALSE(contains(*wrong, "hunter"));
    }
}

TEST_CASE("an example of every parameter is one that the schema takes") {
    for (const Parameter& param : every_type()) {
        CAPTURE(param.name);
        CHECK_FALSE(example_of(param, "shop").empty());
    }
    Parameter count = parameter("count", Type::integer, CERTCAST_REQUIRED);
    count.min = 5;
    count.max = 9;
    Parameter pairs = parameter_list("pairs", Type::object);
    pairs.flags = CERTCAST_REQUIRED;
    pairs.fields = {parameter("key", Type::path, CERTCAST_REQUIRED), parameter("note", Type::text)};
    CHECK(example_config(deployer("x", {parameter("note", Type::text), count, pairs}), "shop",
                         "  ") == "  count = 5\n  pairs = [{ key = \"/path/to/key\" }]\n");
    CHECK(example_config(deployer("x", {parameter("when", Type::duration)}), "shop", "") ==
          "when = \"30s\"\n");
    Parameter note = parameter("note", Type::text);
    note.default_value = R"(a "b" \ ${c})";
    CHECK(example_of(note, "shop") == R"("a \"b\" \\ $${c}")");
    count.default_value = "007";
    CHECK(example_of(count, "shop") == "7");
}

TEST_CASE("a pattern that would take for ever is matched in time") {
    CHECK(wrong_match(std::string(200, 'a') + "!", "(a+)+").has_value());
    CHECK(wrong_match(std::string(100'000, 'a'), "a*").has_value());
    CHECK_FALSE(wrong_match("a\\b", "a\\\\b").has_value());
    CHECK(wrong_pattern("(a)\\1").has_value());
    CHECK(wrong_pattern(std::string(500, '(')).has_value());
    CHECK(contains(wrong_pattern("((?=((?=(.*)*).*)*)a)*c").value_or(""), "looks ahead"));
    CHECK(contains(wrong_pattern("((?!b)a)*c").value_or(""), "looks ahead"));
    CHECK(contains(wrong_pattern("(a?){0,9999}").value_or(""), "exceeds limit"));
    CHECK_FALSE(wrong_pattern("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").has_value());
    CHECK_FALSE(wrong_pattern("([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,63}").has_value());
}

TEST_CASE("identities are canonical and there is one for each place") {
    Parameter files = parameter_list("files", Type::object);
    files.fields = {parameter("path", Type::path, CERTCAST_IDENTITY | CERTCAST_EXCLUSIVE),
                    parameter("mode", Type::integer)};
    const Descriptor descriptor =
        deployer("x", {parameter("host", Type::text, CERTCAST_IDENTITY | CERTCAST_ACCOUNT), files});
    const RawValue config = raw_table({{"files", raw_list({raw_table({{"path", raw("/b|c")}}),
                                                           raw_table({{"path", raw("/a")}})})},
                                       {"host", raw("h")}});
    const Identities found =
        identities_of(descriptor, check(config, descriptor.params).value, "edge");
    CHECK(found.deployed_to ==
          std::vector<std::string>{"x|host=h|files.path=/a", "x|host=h|files.path=/b\\|c"});
    CHECK(found.exclusive == std::vector<std::string>{"x|files.path=/a", "x|files.path=/b\\|c"});
    CHECK(found.account == "x|host=h");
}

TEST_CASE("an account is whatever names it, lists included") {
    const Descriptor descriptor =
        deployer("x", {parameter("user", Type::text, CERTCAST_ACCOUNT),
                       parameter_list("logins", Type::path, CERTCAST_ACCOUNT)});
    const auto account = [&](const RawValue& config) {
        return identities_of(descriptor, check(config, descriptor.params).value, "edge").account;
    };
    const RawValue logins = raw_list({raw("/b"), raw("/a")});
    CHECK(account(raw_table({{"user", raw("u")}, {"logins", logins}})) ==
          "x|user=u|logins=/b|logins=/a");
    CHECK(account(raw_table({{"logins", logins}})) == "x|logins=/b|logins=/a");
    CHECK(account(raw_table({})).empty());
}

TEST_CASE("each file that is written is a place of its own, whatever it is written as") {
    constexpr std::uint64_t written = CERTCAST_IDENTITY | CERTCAST_WRITES;
    Parameter files = parameter_list("files", Type::object);
    files.fields = {parameter("crt", Type::path, written), parameter("key", Type::path, written)};
    const Descriptor descriptor =
        deployer("x", {parameter("host", Type::text, CERTCAST_IDENTITY),
                       parameter("crt", Type::path, written),
                       parameter("combined", Type::path, written), files});
    const auto places = [&](const RawValue& config) {
        return identities_of(descriptor, check(config, descriptor.params).value, "edge")
            .deployed_to;
    };
    using Places = std::vector<std::string>;
    CHECK(places(raw_table({{"crt", raw("/a")}, {"combined", raw("/b")}})) ==
          Places{"x|file=/a", "x|file=/b"});
    CHECK(places(raw_table({{"combined", raw("/a")}, {"host", raw("h")}})) ==
          Places{"x|host=h|file=/a"});
    CHECK(places(raw_table(
              {{"files", raw_list({raw_table({{"crt", raw("/a")}, {"key", raw("/k")}})})}})) ==
          Places{"x|file=/a", "x|file=/k"});
}

TEST_CASE("a limit counts for each account where a single value names one") {
    CHECK(has_account(deployer("x", {parameter("user", Type::text, CERTCAST_ACCOUNT)})));
    CHECK_FALSE(has_account(deployer("x", {parameter("user", Type::text)})));
    Parameter login = parameter("login", Type::object);
    login.fields = {parameter("user", Type::text, CERTCAST_ACCOUNT)};
    CHECK(has_account(deployer("x", {login})));
}

TEST_CASE("a deployer that names no identity is told apart by the deployment's name") {
    const Descriptor descriptor = deployer("x", {parameter("host", Type::text)});
    const Identities found =
        identities_of(descriptor, check(raw_table({}), descriptor.params).value, "edge/web1");
    CHECK(found.deployed_to == std::vector<std::string>{"x|deployment=edge/web1"});
    CHECK(found.exclusive.empty());
    CHECK(found.account.empty());
}

TEST_CASE("what is shown in quotes holds no control character") {
    CHECK(in_quotes("a\x1b[2J\xc2\x9b") == "\"a?[2J?\"");
    CHECK(in_quotes(std::string(59, 'x') + "\xc3\xa4") == "\"" + std::string(59, 'x') + "...\"");
}

TEST_CASE("a value is encoded with its entries in order") {
    const Checked checked = check(raw_table({{"a", raw("x")}}),
                                  {parameter("a", Type::text), parameter("b", Type::text)});
    wire::Writer out;
    encode(checked.value, out);
    wire::Reader in(out.data());
    CHECK(in.u32() == CERTCAST_OBJECT);
    CHECK(in.i64() == 0);
    CHECK(in.text().empty());
    CHECK(in.u32() == 2);
    CHECK(in.text() == "a");
    CHECK(in.u32() == CERTCAST_TEXT);
    CHECK(in.i64() == 0);
    CHECK(in.text() == "x");
    CHECK(in.u32() == 0);
    CHECK(in.text() == "b");
    CHECK(in.u32() == CERTCAST_NONE);
    CHECK(in.i64() == 0);
    CHECK(in.text().empty());
    CHECK(in.u32() == 0);
    CHECK(in.finished());
}
