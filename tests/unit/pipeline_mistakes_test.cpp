#include "tests/unit/pipeline_readings.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace certcast;
using namespace certcast::testing;

TEST_CASE("a wrong pipeline is refused at the right place") {
    struct Wrong {
        const char* what;
        std::string text;
        const char* expected;
    };
    const std::string path = "config.path = \"/x\"\n";
    const Wrong table[] = {
        {"no format", "[deploy.x]\nplugin=\"probe\"\n",
         "/etc/p.toml:1:1: error: format is missing"},
        {"format 2", "format = 2\n", "/etc/p.toml:1:10: error: format: expected 1"},
        {"nothing", "format = 1\n", "p.toml:1:1: error: deploys nothing"},
        {"no TOML", "format = 1\nx = \n", "p.toml:2:5: error: no valid TOML"},
        {"duplicate", "format = 1\n[deploy.a]\n[deploy.a]\n", "p.toml:3:"},
        {"unknown section", "format = 1\n[sercet.x]\n",
         "p.toml:2:2: error: unknown key \"sercet\"; did you mean \"secret\"?"},
        {"later section", "format = 1\ninclude = [\"x\"]\n",
         "p.toml:2:1: error: include is not available in this version of certcast"},
        {"pipeline name", "format = 1\npipeline = \"a/b\"\n",
         "p.toml:2:12: error: pipeline: expec"},
        {"entry name", "format = 1\n[deploy.\"a/b\"]\n", "p.toml:2:9: error: \"a/b\" is no name"},
        {"entry kind", "format = 1\ndeploy.a = 3\n", "p.toml:2:12: error: deploy.a: expected a ta"},
        {"unknown key", entry + path + "timeuot = \"1s\"\n",
         "p.toml:11:1: error: unknown key \"deploy.edge.timeuot\"; did you mean \"timeout\"?"},
        {"later key", entry + path + "window = \"x\"\n",
         "p.toml:11:1: error: deploy.edge.window is not available in this version"},
        {"lock without a name", entry + path + "lock = \"\"\n",
         "deploy.edge.lock: expected a name, or a list of names"},
        {"unknown guard", entry + path + "guards = { name = \"off\" }\n",
         "unknown key \"deploy.edge.guards.name\"; did you mean \"names\"?"},
        {"guard that is neither", entry + path + "guards = { names = false }\n",
         "deploy.edge.guards.names: expected \"on\" or \"off\", found"},
        {"quorum of nothing", entry + path + "needs = [{ deploy = \"a\", at_least = 1 }]\n",
         "p.toml:11:10: error: needs: there is no [deploy.a]"},
        {"quorum without a number", entry + path + "needs = [{ deploy = \"edge\" }]\n",
         "p.toml:11:10: error: deploy.edge.needs: expected { deploy = \"NAME\", at_least = "},
        {"quorum of more than all",
         entry + path + "needs = [{ deploy = \"edge\", at_least = \"101%\" }]\n",
         "p.toml:11:40: error: deploy.edge.needs.at_least: expected a number from 1 on, or a share "
         "like \"10%\", found \"101%\""},
        {"quorum of itself", entry + path + "needs = [{ deploy = \"edge\", at_least = 1 }]\n",
         "p.toml:11:10: error: needs go in a circle: edge needs edge"},
        {"waves without targets", entry + path + "waves = [1]\n",
         "p.toml:11:9: error: deploy.edge.waves: waves, pause, max_failures and on_abort are about "
         "the targets of an entry, and it has none"},
        {"waves that shrink", entry + path + "waves = [3, 2]\n",
         "p.toml:11:13: error: deploy.edge.waves: expected more than in the wave before, 3"},
        {"a wave of nothing", entry + path + "waves = [0, \"100%\"]\n",
         "p.toml:11:10: error: deploy.edge.waves: expected a number from 1 on"},
        {"no waves", entry + path + "waves = []\n", "expected how many have been started with"},
        {"abort in another way", entry + path + "on_abort = \"panic\"\n",
         "deploy.edge.on_abort: expected \"stop\" or \"rollback\", found \"panic\""},
        {"a failure and a half", entry + path + "max_failures = 1.5\n",
         "deploy.edge.max_failures: expected a number from 0 on, or a share"},
        {"later targets", entry + path + "targets = { discover = true }\n",
         "p.toml:11:11: error: deploy.edge.targets: plugin place finds no targets"},
        {"targets that are hardly to be found", entry + path + "targets = { discover = false }\n",
         "p.toml:11:11: error: deploy.edge.targets: expected { discover = true } and nothing"},
        {"no plugin", head, "p.toml:6:9: error: deploy.edge.plugin is missing"},
        {"unknown plugin", head + "plugin = \"evry\"\n",
         "p.toml:7:10: error: deploy.edge.plugin: there is no plugin \"evry\"; did you mean "
         "\"every"},
        {"plugin range", head + "plugin = \"every@1\"\n",
         "p.toml:7:10: error: deploy.edge.plugin: "},
        {"substituted plugin", head + "plugin = \"${vars.p}\"\n", "nothing is substituted"},
        {"no certificate", head + "plugin = \"every\"\n",
         "p.toml:6:9: error: deploy.edge.certificate is missing: expected the name of a "
         "[certificate.NAME]: shop, mail"},
        {"unknown certificate", head + "plugin = \"every\"\ncertificate = \"shp\"\n",
         "p.toml:8:15: error: deploy.edge.certificate: there is no [certificate.shp]; did you "
         "mean"},
        {"certificate twice", head + "plugin = \"every\"\ncertificates = [\"shop\", \"shop\"]\n",
         "p.toml:8:25: error: deploy.edge.certificates: \"shop\" is listed twice"},
        {"both", head + "plugin = \"every\"\ncertificate=\"shop\"\ncertificates=[\"mail\"]\n",
         "p.toml:9:14: error: deploy.edge.certificates: is given beside"},
        {"covers", head + "plugin = \"every\"\ncertificate = { covers = \"x\" }\n",
         "choosing by covers and key_type is not available"},
        {"too many",
         "format=1\n[certificate.a]\nsource=\"a\"\n[certificate.b]\nsource=\"b\"\n"
         "[certificate.c]\nsource=\"c\"\n[deploy.x]\nplugin=\"every\"\n"
         "certificates=[\"a\",\"b\",\"c\"]\n",
         "p.toml:10:14: error: deploy.x.certificates: plugin every takes at most 2, found 3"},
        {"missing parameter", entry, "p.toml:6:9: error: deploy.edge.config.path is missing"},
        {"unknown parameter", entry + "config = { path = \"/x\", nte = \"y\" }\n",
         "p.toml:10:25: error: deploy.edge.config has no parameter \"nte\"; did you mean "
         "\"note\"?"},
        {"config kind", entry + "config = 3\n",
         "p.toml:10:10: error: deploy.edge.config: expected a table, found 3"},
        {"undefined", entry + "config.path = \"/${vars.x}\"\n",
         "p.toml:10:15: error: ${vars.x} is not defined"},
        {"no target", entry + "config.path = \"/${target.name}\"\n", "there is no target here"},
        {"unclosed", entry + "config.path = \"/${vars.x\"\n", "has no closing \"}\""},
        {"no namespace", entry + "config.path = \"${HOME}/x\"\n",
         "expected target.name, target.KEY"},
        {"own circle",
         entry + path +
             "vars = { a = \"${vars.b}\", b = \"${vars.a}\" }\n"
             "config.note = \"${vars.a}\"\n",
         "p.toml:11:14: error: vars.a refers to itself"},
        {"target twice", entry + path + "targets = [\"a\", \"a\"]\n",
         "p.toml:11:17: error: target \"a\" is listed twice"},
        {"target name", entry + path + "targets = [\"a/b\"]\n", "\"a/b\" is no name for a target"},
        {"no targets", entry + path + "targets = []\n", "there is no target in it"},
        {"target key", entry + "config.path = \"${target.dir}\"\ntargets = [\"a\"]\n",
         "p.toml:10:15: error: ${target.dir}: target \"a\" has no \"dir\""},
        {"hosts", entry + path + "targets = { file = \"/no/such\" }\n",
         "p.toml:11:20: error: deploy.edge.targets.file: /no/such: cannot be read: No such file"},
        {"need", entry + path + "needs = [\"egde\"]\n",
         "p.toml:11:10: error: needs: there is no [deploy.egde]; did you mean \"edge\"?"},
        {"own need", entry + path + "needs = [\"edge\"]\n",
         "p.toml:11:10: error: needs go in a circle: edge needs edge"},
        {"timeout", entry + path + "timeout = 30\n",
         "p.toml:11:11: error: deploy.edge.timeout: expected a duration, like \"30s\", found 30"},
        {"timeout unit", entry + path + "timeout = \"30\"\n", "\"30\" is no duration"},
        {"no time", entry + path + "timeout = \"0s\"\n", "expected more than nothing"},
        {"stage", entry + path + "timeouts = { delpoy = \"1s\" }\n",
         "unknown key \"deploy.edge.timeouts.delpoy\"; did you mean \"deploy\"?"},
        {"timeout twice", entry + path + "timeouts = { deploy = \"1s\" }\ntimeout = \"1s\"\n",
         "p.toml:11:23: error: deploy.edge.timeouts.deploy: is the same as deploy.edge.timeout"},
        {"attempts", entry + path + "retry = { attempts = 0 }\n",
         "deploy.edge.retry.attempts: expected a number from 1 to 1000, found 0"},
        {"backoff", entry + path + "retry = { backoff = \"2m\", max_backoff = \"1m\" }\n",
         "max_backoff: is shorter than backoff"},
        {"backoff that is not written", entry + path + "retry = { max_backoff = \"1s\" }\n",
         "max_backoff: is shorter than backoff, expected at least 2s"},
        {"untyped number", entry + path + "retry = { attempts = \"${vars.n:-x}\" }\n",
         "attempts: expected a whole number, found \"x\""},
        {"default of no name", entry + path + "config.note = \"${HOME:-root}\"\n",
         "${HOME} is not defined: expected target.name, target.KEY or vars.KEY"},
        {"secret and source", "format=1\n[secret.x]\nenv=\"A\"\nsecret=\"b\"\n",
         "p.toml:4:1: error: unknown key \"secret.x.secret\""},
        {"deploy", "format=1\ndeploy=3\n", "deploy: expected tables [deploy.NAME], found 3"},
        {"tags", entry + path + "tags = [1]\n", "deploy.edge.tags: expected strings, found 1"},
        {"disabled", entry + path + "disabled = { until = \"2030-01-01\" }\n",
         "p.toml:11:22: error: deploy.edge.disabled.until: expected a date without quotes"},
        {"plain secret",
         head + "plugin=\"every\"\ncertificate=\"shop\"\nconfig.password=\"hunter2\"\n",
         "p.toml:9:17: error: deploy.edge.config.password: a secret is never written in the file"},
        {"unknown secret",
         head + "plugin=\"every\"\ncertificate=\"shop\"\nconfig.password={ secret = \"x\" }\n",
         "p.toml:9:28: error: deploy.edge.config.password: there is no [secret.x]"},
        {"two sources", "format=1\n[secret.x]\nenv=\"A\"\nfile=\"b\"\n",
         "p.toml:2:1: error: secret.x: expected exactly one of env, file, command and credential, "
         "found 2"},
        {"secret as text", "format=1\n[secret]\nx=\"hunter2\"\n",
         "p.toml:3:3: error: secret.x: a secret is never written in the file"},
        {"secret key", "format=1\n[secret.x]\nevn=\"A\"\n", "did you mean \"env\"?"},
        {"certificate source", "format=1\n[certificate.x]\nchain=\"A\"\n",
         "p.toml:2:14: error: certificate.x: expected source"},
        {"certificate key", "format=1\n[certificate.x]\ncertificate=\"A\"\n",
         "p.toml:2:14: error: certificate.x.key is missing"},
        {"plugin limit", "format=1\n[defaults]\nplugin.every.max_parallel = 10\n",
         "p.toml:3:29: error: defaults.plugin.every.max_parallel: the plugin allows at most 9"},
        {"sandbox of all", "format=1\n[defaults]\nsandbox = \"off\"\n",
         "p.toml:3:11: error: defaults.sandbox: expected \"on\" or \"required\"; \"off\" is for "
         "one"},
        {"sandbox", "format=1\n[defaults]\nplugin.every.sandbox = true\n",
         "p.toml:3:24: error: defaults.plugin.every.sandbox: expected \"on\" or"},
        {"limit without a unit", entry + path + "limits = { memory = 5 }\n",
         "p.toml:11:21: error: deploy.edge.limits.memory: expected a number and a unit"},
        {"limit too small", entry + path + "limits = { memory = \"1KiB\" }\n",
         "deploy.edge.limits.memory: expected at least 16MiB, or \"none\""},
        {"few files", entry + path + "limits = { files = 3 }\n",
         "deploy.edge.limits.files: expected at least 16, or \"none\""},
        {"short time", entry + path + "limits = { cpu = \"10ms\" }\n",
         "deploy.edge.limits.cpu: expected at least 1s, or \"none\""},
        {"unknown limit", entry + path + "limits = { memori = \"1GiB\" }\n",
         "unknown key \"deploy.edge.limits.memori\"; did you mean \"memory\"?"},
        {"plugin of limit", "format=1\n[defaults]\nplugin.evry.max_parallel = 10\n",
         "p.toml:3:8: error: defaults.plugin.evry: there is no plugin"},
        {"probe", head + "plugin=\"every\"\ncertificate=\"shop\"\nprobe = true\n",
         "p.toml:9:9: error: deploy.edge.probe: expected tables like [[deploy.edge.probe]]"},
        {"probe address", head + "plugin=\"every\"\ncertificate=\"shop\"\n[[deploy.edge.probe]]\n",
         "p.toml:9:1: error: deploy.edge.probe.address is missing"},
        {"probe port",
         head + "plugin=\"every\"\ncertificate=\"shop\"\n[[deploy.edge.probe]]\naddress=\"h\"\n",
         "p.toml:10:9: error: deploy.edge.probe.address: \"h\" is no endpoint: the port is "
         "missing"},
        {"probe protocol",
         head + "plugin=\"every\"\ncertificate=\"shop\"\n[[deploy.edge.probe]]\n"
                "address=\"h:1\"\nprotocol=\"stmp\"\n",
         "p.toml:11:10: error: deploy.edge.probe.protocol: expected one of tls, smtp, imap, pop3, "
         "ldap, postgres, mysql, found \"stmp\"; did you mean \"smtp\"?"},
        {"probe expect",
         head + "plugin=\"every\"\ncertificate=\"shop\"\n[[deploy.edge.probe]]\n"
                "address=\"h:1\"\nexpect=\"mail\"\n",
         "p.toml:11:8: error: deploy.edge.probe.expect: the deployment has no certificate "
         "\"mail\""},
        {"same place",
         entry + path +
             "[deploy.other]\nplugin=\"place\"\ncertificate=\"mail\"\n"
             "probe=false\nconfig.path=\"/y/../x\"\n",
         "p.toml:11:9: error: other and edge (/etc/p.toml:6:9) deploy to the same place: "
         "place|path=/x"},
        {"same file among others",
         "format=1\n[certificate.shop]\nsource=\"x\"\n"
         "[deploy.a]\nplugin=\"writer\"\ncertificate=\"shop\"\nprobe=false\nconfig={crt=\"/"
         "x\",key=\"/k\"}\n"
         "[deploy.b]\nplugin=\"writer\"\ncertificate=\"shop\"\nprobe=false\nconfig.key=\"/x\"\n",
         "deploy to the same place: writer|file=/x"},
        {"NUL", entry + "config.path = \"/a\\u0000b\"\n",
         "p.toml:10:15: error: the string holds a NUL"},
    };
    for (const Wrong& wrong : table) {
        SUBCASE(wrong.what) {
            const PipelineReading reading = read(wrong.text);
            const std::string text = all_of(reading);
            CAPTURE(text);
            CHECK_FALSE(reading.pipeline.has_value());
            CHECK(contains(text, wrong.expected));
            CHECK_FALSE(contains(text, "hunter2"));
        }
    }
}

TEST_CASE("all mistakes are reported together, sorted by position") {
    const PipelineReading reading = read(R"(format = 1
[certificate.shop]
sorce = "x"
[deploy.edge]
plugin = "place"
certificate = "shpo"
timeout = 5
probe = false
[deploy.edge.config]
path = 7
note = "${vars.gone}"
more = 1
[deploy.next]
plugin = "nothing"
certificate = "shop"
probe = 3
)");
    std::vector<std::uint32_t> lines;
    for (const Diagnostic& diagnostic : reading.diagnostics) {
        if (diagnostic.severity == Diagnostic::Severity::error) {
            lines.push_back(diagnostic.location.line);
        }
    }
    INFO(all_of(reading));
    CHECK(lines == std::vector<std::uint32_t>{2, 3, 6, 7, 10, 11, 12, 14, 16});
}

TEST_CASE("mistakes in a file of targets are reported where they stand") {
    const TemporaryFolder folder;
    const std::string hosts =
        folder.write("hosts.txt", "web1 port\nweb1\nweb2 a=1 a=2\nx/y\nport=3\nweb3 name=z\n")
            .string();
    const PipelineReading reading =
        read(entry + "config.path=\"/${target.name}\"\ntargets = { file = \"" + hosts + "\" }\n");
    const std::string text = all_of(reading);
    CAPTURE(text);
    CHECK(contains(text, hosts + ":1:6: error: expected key=value, found \"port\""));
    CHECK(contains(text, hosts + ":2:1: error: target \"web1\" is listed twice"));
    CHECK(contains(text, hosts + ":3:10: error: \"a\" is given twice"));
    CHECK(contains(text, hosts + ":4:1: error: \"x/y\" is no name for a target"));
    CHECK(contains(text, hosts + ":5:1: error: expected the name of a target"));
    CHECK(contains(text, hosts + ":6:6: error: the name of a target is the first word"));
}

TEST_CASE("needs that go in a circle are reported with the circle") {
    const auto circle = [](const std::string& needs_of_c) {
        std::string text = "format = 1\n[certificate.s]\nsource = \"x\"\n";
        for (const std::string name : {"a", "b", "c"}) {
            text += "[deploy." + name + "]\nplugin = \"probe\"\ncertificate = \"s\"\nneeds = [\"" +
                    (name == "a"   ? "b"
                     : name == "b" ? "c"
                                   : needs_of_c) +
                    "\"]\n";
        }
        return all_of(read(text));
    };
    CHECK(contains(circle("a"),
                   "p.toml:7:10: error: needs go in a circle: a needs b, which needs "
                   "c, which needs a\n"));
    CHECK(contains(circle("c"), "p.toml:15:10: error: needs go in a circle: c needs c\n"));
    CHECK(contains(circle("a/x"), "p.toml:15:10: error: needs: a has no targets, expected \"a\""));
}

TEST_CASE("what is put back together cannot need a part of itself") {
    const auto read_fleet = [](const std::string& on_abort, const std::string& needs) {
        return all_of(
            read("format = 1\n[certificate.s]\nsource = \"x\"\n[deploy.fleet]\nplugin = "
                 "\"probe\"\ncertificate = \"s\"\ntargets = [{ name = \"a\", after = "
                 "\"other\" }, { name = \"b\", after = \"" +
                 needs + "\" }]\nneeds = [\"${target.after}\"]\non_abort = \"" + on_abort +
                 "\"\n[deploy.other]\nplugin = \"probe\"\ncertificate = \"s\"\n"
                 "[deploy.between]\nplugin = \"probe\"\ncertificate = \"s\"\nneeds = "
                 "[{ deploy = \"fleet\", at_least = 1 }]\n"));
    };
    CHECK_FALSE(contains(read_fleet("stop", "fleet/a"), "in a circle"));
    CHECK(contains(read_fleet("rollback", "fleet/a"),
                   "p.toml:8:10: error: needs go in a circle: fleet/b needs all of fleet, which "
                   "needs fleet/b"));
    CHECK(contains(read_fleet("rollback", "between"), "in a circle"));
    CHECK_FALSE(contains(read_fleet("rollback", "other"), "in a circle"));
}

TEST_CASE("needs that would fill the memory are refused, with a way out") {
    std::string targets;
    for (int i = 0; i < 1'100; ++i)
        targets += (i == 0 ? "\"t" : ", \"t") + std::to_string(i) + "\"";
    const std::string two =
        "format = 1\n[certificate.s]\nsource = \"x\"\n[deploy.a]\nplugin = \"probe\"\n"
        "certificate = \"s\"\ntargets = [" +
        targets + "]\n[deploy.b]\nplugin = \"probe\"\ncertificate = \"s\"\ntargets = [" + targets +
        "]\nneeds = [\"a\"]\n";
    CHECK(contains(all_of(read(two)), "put a single deployment between the two entries"));
}

TEST_CASE("a deployment that is probed takes the plugin that probes") {
    const auto find_no_probe = [](const std::string& id) {
        return id == "probe" ? Error{ErrorCode::not_found, "the plugin is broken", {}}
                             : plugins().find()(id);
    };
    const PipelineReading reading =
        read_pipeline_text(head +
                               "plugin=\"every\"\ncertificate=\"shop\"\n"
                               "[[deploy.edge.probe]]\naddress=\"h:1\"\n",
                           "/etc/p.toml", find_no_probe);
    CHECK_FALSE(reading.pipeline.has_value());
    CHECK(contains(all_of(reading),
                   "p.toml:9:1: error: what is served cannot be probed: the plugin is broken"));
}

TEST_CASE("what is no readable pipeline file is refused") {
    const TemporaryFolder folder;
    const auto refusal = [&](const std::filesystem::path& file) {
        const PipelineReading reading = read_pipeline(file, plugins().find());
        CHECK_FALSE(reading.pipeline.has_value());
        return all_of(reading);
    };
    const std::string missing = (folder / "none.toml").string();
    CHECK(refusal(missing) == missing + ": error: cannot be read: No such file or directory\n");
    CHECK(contains(refusal(folder.path()), "is a folder"));
    CHECK(
        contains(refusal(folder.write("a.toml", std::string(5 << 20, '#'))), "larger than 4 MiB"));
    CHECK(contains(refusal(folder.write("b.toml", "format = 1\nx = \"\xff\"\n")), "line 2 is not"));
    const auto fifo = folder / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(contains(refusal(fifo), "is no regular file"));
}

TEST_CASE("deep nesting is refused") {
    const auto repeated = [](const std::string& text, int times) {
        std::string all;
        for (int i = 0; i < times; ++i) all += text;
        return all;
    };
    for (const std::string& dots :
         {repeated("a.", 100'000) + "b = 1\n", "[" + repeated("\"a b\" . ", 100'000) + "b]\n",
          "t = { x = \"\"\" \" \"\"\", " + repeated("\"a\".", 200'000) + "\"b\" = 1 }\n"}) {
        CHECK(contains(all_of(read("\n" + dots)), "p.toml:2:1: error: the line holds more than"));
    }
    CHECK(contains(all_of(read(repeated("a.", 3'000) + "b = 1\n")), "nested deeper"));
    CHECK(contains(all_of(read("x = \"" + repeated("\\\"", 200'000) + "\n")), "error: "));
    CHECK(contains(all_of(read("a = " + repeated("[", 60) + repeated("]", 60) + "\n")),
                   "nested deeper"));
    CHECK(contains(all_of(read("a = " + repeated("[", 100'000))), "error: "));
    CHECK(contains(all_of(read("a = " + repeated("{a=", 100'000))), "error: "));
}

TEST_CASE("a pipeline that ends anywhere or has any byte damaged does no harm") {
    const std::string whole = entry + R"(config.path = "/${vars.x:-${target.name:-"a"}}"
needs = ["a/b"]
targets = [{ name = "a", n = 1 }]
timeouts = { deploy = "1s" }
[[deploy.edge.probe]]
address = ["h:1"]
)";
    for (std::size_t i = 0; i < whole.size(); ++i) {
        (void)read(whole.substr(0, i));
        for (const char damage : {'\0', '"', '$', '{', '\xff'}) {
            std::string text = whole;
            text[i] = damage;
            (void)read(text);
        }
    }
}

TEST_CASE("a short pipeline cannot ask for more memory than there is") {
    std::string targets;
    for (int i = 0; i < 6000; ++i) targets += "\"t" + std::to_string(i) + "\", ";
    const PipelineReading reading = read(
        entry + "targets = [" + targets + "]\nconfig = { path = \"/${target.name}\", note = \"" +
        std::string(100'000, 'x') + "\" }\n[deploy.other]\nplugin = \"place\"\n");
    CHECK_FALSE(reading.pipeline.has_value());
    const std::string text = all_of(reading);
    CHECK(contains(text, "deploy.edge: with this entry written out for each of its targets"));
    CHECK_FALSE(contains(text, "deploy.other: with this entry"));
}
