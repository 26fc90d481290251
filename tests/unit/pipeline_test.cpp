#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/pipeline/selection.hpp"
#include "tests/unit/pipeline_readings.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>

using namespace certcast;
using namespace certcast::testing;

TEST_CASE("the pipeline of the design is read") {
    const Pipeline pipeline = good(R"(
format = 1
pipeline = "prod"
[vars]
domain = "example"
[certificate.shop]
source = "/live/shop.${vars.domain}"
[certificate.shop-ecdsa]
certificate = "shop.ec.pem"
key = "../shop.ec.key"
passphrase = { file = "pp" }
[secret.fleet]
command = ["pass", "show", "fleet"]
[defaults]
timeout = "60s"
grace = "4s"
max_parallel = 16
retry = { attempts = 5, backoff = "1s" }
plugin.every.max_parallel = 3
[deploy.zulu]
plugin = "every"
certificates = ["shop", "shop-ecdsa"]
timeouts = { rollback = "20s" }
retry = { attempts = 2 }
tags = ["a", "b"]
config = { port = 1, password = { secret = "fleet" }, word = "x" }
[[deploy.zulu.probe]]
address = ["127.0.0.1:443", "shop.example:443"]
timeout = "3s"
[deploy.fleet]
plugin = "place"
certificate = "shop"
needs = ["zulu"]
targets = ["web1", { name = "web2", dir = "/d" }]
[deploy.fleet.config]
path = "${target.dir:-/default}/${target.name}"
[[deploy.fleet.probe]]
address = "h:1"
)");
    CHECK(pipeline.name == "prod");
    CHECK(pipeline.max_parallel == 16);
    CHECK(pipeline.plugin_limits.at("every") == 3);
    CHECK(pipeline.certificates.at("shop").source == "/live/shop.example");
    const CertificateSource& ecdsa = pipeline.certificates.at("shop-ecdsa");
    CHECK(ecdsa.certificate == "/etc/shop.ec.pem");
    CHECK(ecdsa.key == "/shop.ec.key");
    CHECK(ecdsa.passphrase == "certificate.shop-ecdsa.passphrase");
    CHECK(pipeline.secrets.at(ecdsa.passphrase).value == "/etc/pp");
    CHECK(pipeline.secrets.at("fleet").command ==
          std::vector<std::string>{"pass", "show", "fleet"});

    REQUIRE(pipeline.deployments.size() == 3);
    const Deployment& zulu = pipeline.deployments[0];
    CHECK(zulu.name == "zulu");
    CHECK(zulu.plugin == "every");
    CHECK(zulu.descriptor->id == "every");
    CHECK(zulu.library->path == "/lib/fake.so");
    CHECK(zulu.certificates == std::vector<std::string>{"shop", "shop-ecdsa"});
    CHECK(timeout_of(zulu, Stage::deploy) == Duration(60'000));
    CHECK(timeout_of(zulu, Stage::verify) == Duration(11'000));
    CHECK(timeout_of(zulu, Stage::rollback) == Duration(20'000));
    CHECK(timeout_of(zulu, Stage::validate) == Duration(10'000));
    CHECK(zulu.grace == Duration(4'000));
    CHECK(zulu.retry.attempts == 2);
    CHECK(zulu.retry.backoff == Duration(1'000));
    CHECK(zulu.retry.max_backoff == Duration(60'000));
    CHECK(zulu.tags == std::vector<std::string>{"a", "b"});
    CHECK(zulu.config.find("password")->text == "fleet");
    CHECK(zulu.location.text() == "/etc/p.toml:20:9");
    REQUIRE(zulu.probes.size() == 4);
    CHECK(zulu.probes[0].address == "127.0.0.1:443");
    CHECK(zulu.probes[0].server_name.empty());
    CHECK(zulu.probes[1].certificate == 1);
    CHECK(zulu.probes[3].server_name == "shop.example");
    CHECK(zulu.probes[3].timeout == Duration(3'000));

    const Deployment& web2 = pipeline.deployments[2];
    CHECK(web2.name == "fleet/web2");
    CHECK(web2.entry == "fleet");
    CHECK(web2.target == "web2");
    CHECK(web2.target_values.find("dir")->text == "/d");
    CHECK(web2.needs == std::vector<std::string>{"zulu"});
    CHECK(web2.identities == std::vector<std::string>{"place|path=/d/web2"});
    CHECK(pipeline.deployments[1].identities ==
          std::vector<std::string>{"place|path=/default/web1"});
    CHECK(timeout_of(web2, Stage::verify) == Duration(30'000));
}

TEST_CASE("where nobody says otherwise the plugin's limits hold, then the host's") {
    const Pipeline pipeline = good(head + R"(plugin = "every"
certificate = "shop"
probe = false
)");
    const Deployment& edge = pipeline.deployments[0];
    CHECK(pipeline.name == "p");
    CHECK(timeout_of(edge, Stage::deploy) == Duration(12'000));
    CHECK(timeout_of(edge, Stage::inspect) == Duration(30'000));
    CHECK(timeout_of(edge, Stage::close) == Duration(5'000));
    CHECK(edge.grace == Duration(13'000));
    CHECK(edge.retry.attempts == 3);
    CHECK(pipeline.plugin_limits.empty());
    CHECK(edge.identities == std::vector<std::string>{"every|deployment=edge"});
}

TEST_CASE("limits and sandboxes are the deployment's, else the defaults', else the host's") {
    const Pipeline pipeline = good(R"(
format = 1
[certificate.shop]
source = "/live/shop.example"
[defaults]
sandbox = "required"
limits = { memory = "1GiB", files = "none" }
plugin.place.sandbox = "off"
[deploy.one]
plugin = "place"
certificate = "shop"
probe = false
config = { path = "/one" }
limits = { memory = "64MiB", cpu = "none" }
[deploy.two]
plugin = "every"
certificate = "shop"
probe = false
config = { port = 1, password = { env = "P" }, word = "x" }
)");
    const Deployment& one = pipeline.deployments.at(0);
    CHECK(one.sandbox == Sandbox::off);
    CHECK(one.limits.memory == 64u << 20);
    CHECK(one.limits.files == 0);
    CHECK(one.limits.cpu == Duration(0));
    CHECK(one.limits.processes == Limits{}.processes);
    const Deployment& two = pipeline.deployments.at(1);
    CHECK(two.sandbox == Sandbox::required);
    CHECK(two.limits.memory == 1u << 30);
    CHECK(two.limits.cpu == Limits{}.cpu);
    CHECK(pipeline.probe_sandbox == Sandbox::on);
}

TEST_CASE("a deployment without a probe is warned about unless that is meant") {
    const std::string start = head + "certificate = \"shop\"\n";
    const PipelineReading warned = read(start + "plugin = \"every\"\n");
    CHECK(warned.pipeline.has_value());
    CHECK(contains(all_of(warned), "/etc/p.toml:6:9: warning: deploy.edge has no probe"));
    CHECK(all_of(read(start + "plugin = \"every\"\nprobe = false\n")).empty());
    CHECK(all_of(read(start + "plugin = \"probe\"\n")).empty());
}

TEST_CASE("what is substituted keeps its type where the string is one reference") {
    const Pipeline pipeline = good(head + R"(plugin = "place"
certificate = "shop"
probe = false
vars = { port = 2022, dir = "/srv", cost = "$$5 ${vars.dir}", name = "x${target.name}" }
targets = [{ name = "a", address = "h1", port = 23 }, "b"]
[deploy.edge.config]
path = "${vars.dir}/${target.address:-${target.name}}/${vars.name}"
port = "${target.port:-${vars.port}}"
note = "${vars.cost} $HOME ${vars.port}"
)");
    const Value& a = pipeline.deployments[0].config;
    CHECK(a.find("path")->text == "/srv/h1/xa");
    CHECK(a.find("port")->integer == 23);
    CHECK(a.find("note")->text == "$5 /srv $HOME 2022");
    const Value& b = pipeline.deployments[1].config;
    CHECK(b.find("path")->text == "/srv/b/xb");
    CHECK(b.find("port")->integer == 2022);
}

TEST_CASE("variables that grow without bound are stopped") {
    std::string vars;
    for (int i = 0; i < 60; ++i) {
        const std::string next = "${vars.v" + std::to_string(i + 1) + "}";
        vars += "v" + std::to_string(i) + " = [\"" + next + "\", \"" + next + "\"]\n";
    }
    const PipelineReading reading =
        read("format = 1\n[vars]\n" + vars + "v60 = \"x\"\n" + entry.substr(11) +
             "config.path = \"/x\"\nconfig.note = \"${vars.v0}\"\n");
    CHECK_FALSE(reading.pipeline.has_value());
}

TEST_CASE("targets come from a file of lines") {
    const TemporaryFolder folder;
    folder.write("hosts.txt",
                 "# all of them\n"
                 "web1 address=10.0.0.1 port=2201\r\n"
                 "\n"
                 "  web2   # without anything\n");
    const auto file = folder.write("p.toml", head + R"(plugin = "place"
certificate = "shop"
probe = false
targets = { file = "hosts.txt" }
[deploy.edge.config]
path = "tls/${target.address:-${target.name}}"
port = "${target.port:-22}"
)");
    const PipelineReading reading = read_pipeline(file, plugins().find());
    INFO(all_of(reading));
    REQUIRE(reading.pipeline.has_value());
    const auto& deployments = reading.pipeline->deployments;
    REQUIRE(deployments.size() == 2);
    CHECK(deployments[0].name == "edge/web1");
    CHECK(deployments[0].config.find("path")->text == (folder / "tls/10.0.0.1").string());
    CHECK(deployments[0].config.find("port")->integer == 2201);
    CHECK(deployments[1].config.find("port")->integer == 22);
}

TEST_CASE("needs are expanded to deployments") {
    const std::string rest = R"(
[deploy.a]
plugin = "probe"
certificate = "shop"
targets = ["x", "y"]
[deploy.b]
plugin = "probe"
certificate = "shop"
needs = ["a"]
[deploy.c]
plugin = "probe"
certificate = "shop"
targets = ["x", "y"]
needs = ["a/${target.name}", "b", "a/x"]
)";
    const Pipeline pipeline = good("format = 1\n[certificate.shop]\nsource = \"x\"\n" + rest);
    using Names = std::vector<std::string>;
    CHECK(pipeline.deployments[2].needs == Names{"a/x", "a/y"});
    CHECK(pipeline.deployments[3].needs == Names{"a/x", "b"});
    CHECK(pipeline.deployments[4].needs == Names{"a/x", "a/y", "b"});
}

TEST_CASE("waves and quorums are read as they are written") {
    const Pipeline pipeline = good(R"(format = 1
[certificate.shop]
source = "x"
[deploy.fleet]
plugin = "probe"
certificate = "shop"
targets = ["x", "y"]
waves = [1, "10%", "100%"]
pause = "30s"
max_failures = "5%"
[deploy.all]
plugin = "probe"
certificate = "shop"
targets = ["x"]
max_failures = 2
[deploy.after]
plugin = "probe"
certificate = "shop"
needs = ["all", { deploy = "fleet", at_least = "95%" }]
)");
    REQUIRE(pipeline.deployments[1].waves);
    const Waves& waves = *pipeline.deployments[1].waves;
    REQUIRE(waves.sizes.size() == 3);
    CHECK(waves.sizes[0].text() == "1");
    CHECK(waves.sizes[1].text() == "10%");
    CHECK(waves.pause == Duration(30'000));
    CHECK(waves.max_failures.text() == "5%");
    CHECK_FALSE(waves.puts_back);
    CHECK(pipeline.deployments[2].waves->sizes.empty());
    const Deployment& after = pipeline.deployments[3];
    CHECK_FALSE(after.waves);
    CHECK(after.needs == std::vector<std::string>{"all/x"});
    REQUIRE(after.quorums.size() == 1);
    CHECK(after.quorums[0].entry == "fleet");
    CHECK(after.quorums[0].at_least.text() == "95%");
}

TEST_CASE("a long chain of needs is no trouble") {
    std::string text = "format = 1\n[certificate.s]\nsource = \"x\"\n";
    constexpr int length = 3000;
    for (int i = 0; i < length; ++i) {
        text += "[deploy.d" + std::to_string(i) + "]\nplugin = \"probe\"\ncertificate = \"s\"\n";
        if (i + 1 < length) text += "needs = [\"d" + std::to_string(i + 1) + "\"]\n";
    }
    CHECK(good(text).deployments.size() == length);
}

TEST_CASE("a disabled deployment stays in the pipeline until its date") {
    const std::string start = entry + "config.path = \"/x\"\n";
    CHECK(good(start + "disabled = true\n").deployments[0].disabled);
    CHECK_FALSE(good(start + "disabled = false\n").deployments[0].disabled);
    const Deployment later =
        good(start + "disabled = { until = 9999-12-31, reason = \"moving\" }\n").deployments[0];
    CHECK(later.disabled);
    CHECK(later.disabled_reason == "moving");
    CHECK_FALSE(good(start + "disabled = { until = 2000-01-01 }\n").deployments[0].disabled);
}

TEST_CASE("a disabled deployment may share its place with its successor") {
    const std::string other =
        "[deploy.other]\nplugin=\"place\"\ncertificate=\"mail\"\nprobe=false\nconfig.path=\"/x\"\n";
    CHECK(good(entry + "config.path = \"/x\"\ndisabled = true\n" + other).deployments.size() == 2);
}

TEST_CASE("inline secrets are recorded under their path and equal ones once") {
    const Pipeline pipeline = good(head + R"(plugin = "every"
certificate = "shop"
probe = false
targets = ["a", "b"]
config.password = { command = ["pass", "x"], timeout = "5s", field = "pw" }
[deploy.other]
plugin = "every"
certificate = "shop"
probe = false
targets = ["a", "b"]
config.password = { file = "run/${target.name}" }
[deploy.third]
plugin = "every"
certificate = "shop"
probe = false
config.password = { env = "PW" }
[deploy.fourth]
plugin = "every"
certificate = "shop"
probe = false
config.password = { credential = "pw" }
)");
    CHECK(pipeline.secrets.size() == 5);
    const SecretSource& command = pipeline.secrets.at("deploy.edge/a.config.password");
    CHECK(command.kind == SecretSource::Kind::command);
    CHECK(command.timeout == Duration(5'000));
    CHECK(command.field == "pw");
    CHECK(pipeline.deployments[1].config.find("password")->text == "deploy.edge/a.config.password");
    CHECK(pipeline.secrets.at("deploy.other/b.config.password").value == "/etc/run/b");
    CHECK(pipeline.secrets.at("deploy.third.config.password").kind ==
          SecretSource::Kind::environment);
    CHECK(pipeline.secrets.at("deploy.fourth.config.password").kind ==
          SecretSource::Kind::credential);
}

TEST_CASE("an inline secret cannot be referred to by its path") {
    CHECK(contains(all_of(read(head + R"(plugin = "every"
certificate = "shop"
config.password = { env = "PW" }
[deploy.other]
plugin = "every"
certificate = "shop"
config.password = { secret = "deploy.edge.config.password" }
)")),
                   "there is no [secret.deploy.edge.config.password]"));
}

namespace {

std::vector<std::string> names_in(const Pipeline& pipeline) {
    std::vector<std::string> names;
    for (const Deployment& deployment : pipeline.deployments) names.push_back(deployment.name);
    return names;
}

const std::string three_entries = head + R"(plugin = "place"
certificate = "shop"
probe = false
targets = ["web1", "web2", "db1"]
config = { path = "/d/${target.name}" }
[deploy.post]
plugin = "place"
certificate = "mail"
probe = false
needs = ["edge"]
config = { path = "/p" }
[deploy.edge2]
plugin = "place"
certificate = "mail"
probe = false
needs = ["edge/web1", "post"]
config = { path = "/q" }
)";

}  // namespace

TEST_CASE("a selection keeps what its globs name") {
    struct Row {
        std::vector<std::string> globs;
        std::vector<std::string> left;
    };
    const std::vector<Row> rows = {
        {{}, {"edge/web1", "edge/web2", "edge/db1", "post", "edge2"}},
        {{"*"}, {"edge/web1", "edge/web2", "edge/db1", "post", "edge2"}},
        {{"edge/web*"}, {"edge/web1", "edge/web2"}},
        {{"edge"}, {"edge/web1", "edge/web2", "edge/db1"}},
        {{"edge2", "post"}, {"post", "edge2"}},
        {{"edge/db?", "post"}, {"edge/db1", "post"}},
    };
    for (const Row& row : rows) {
        Pipeline pipeline = good(three_entries);
        CHECK(select(pipeline, row.globs).empty());
        CHECK(names_in(pipeline) == row.left);
    }
}

TEST_CASE("a selection forgets needs on what it leaves out") {
    Pipeline pipeline = good(three_entries);
    REQUIRE(select(pipeline, {"edge2", "edge/web1"}).empty());
    CHECK(pipeline.deployments.back().needs == std::vector<std::string>{"edge/web1"});
}

TEST_CASE("a glob that selects nothing is reported and changes nothing") {
    Pipeline pipeline = good(three_entries);
    const std::vector<std::string> mistakes = select(pipeline, {"post", "edge/web3", "pots"});
    REQUIRE(mistakes.size() == 2);
    CHECK(contains(mistakes[0], "\"edge/web3\": no deployment has such a name"));
    CHECK(contains(mistakes[1], "did you mean \"post\"?"));
    CHECK(names_in(pipeline).size() == 5);
}

TEST_CASE("what stands for a number or a truth value is one, wherever it is written") {
    const TemporaryFolder folder;
    const std::string hosts =
        folder.write("hosts.txt", "\xEF\xBB\xBFweb1 off=true tries=7\nweb2\n").string();
    const Pipeline pipeline = good(head + R"(plugin = "place"
certificate = "shop"
probe = false
disabled = "${target.off:-false}"
retry = { attempts = "${target.tries:-4}" }
config = { path = "/d/${target.name}" }
targets = { file = ")" + hosts + "\" }\n");
    REQUIRE(pipeline.deployments.size() == 2);
    CHECK(pipeline.deployments[0].name == "edge/web1");
    CHECK(pipeline.deployments[0].disabled);
    CHECK(pipeline.deployments[0].retry.attempts == 7);
    CHECK_FALSE(pipeline.deployments[1].disabled);
    CHECK(pipeline.deployments[1].retry.attempts == 4);
}

TEST_CASE("a named secret and an inline one that would be called the same are two") {
    const Pipeline pipeline = good(R"(format = 1
[secret."certificate.shop.passphrase"]
env = "NAMED"
[certificate.shop]
source = "x"
passphrase = { env = "INLINE" }
[deploy.edge]
plugin = "every"
certificate = "shop"
probe = false
config.password = { secret = "certificate.shop.passphrase" }
)");
    CHECK(pipeline.secrets.at("certificate.shop.passphrase").value == "NAMED");
    CHECK(pipeline.secrets.at(pipeline.certificates.at("shop").passphrase).value == "INLINE");
}
