import io.github.libeventsource.Config;
import io.github.libeventsource.Event;
import io.github.libeventsource.EventSource;
import io.github.libeventsource.ReconnectMode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The class, from plain Java, as a conformance runner; ../../../../../README.md has the protocol. */
final class JavaRunner implements EventSource.Listener {
    private final List<List<String>> rules;
    private final Map<String, Integer> counts = new HashMap<>();
    private final CountDownLatch closed = new CountDownLatch(1);

    private JavaRunner(List<List<String>> rules) { this.rules = rules; }

    private static void say(Object... words) {
        System.out.println(Arrays.stream(words).map(word -> URLEncoder.encode(word.toString(), StandardCharsets.UTF_8))
            .map(word -> word.isEmpty() ? "%" : word).collect(Collectors.joining(" ")));
    }

    private static List<String> words(String line) {
        return Arrays.stream(line.split(" ")).map(w -> w.equals("%") ? "" : URLDecoder.decode(w, StandardCharsets.UTF_8)).collect(Collectors.toList());
    }

    private static Config set(Config config, List<String> words) {
        String value = words.size() > 1 ? words.get(1) : "";
        switch (words.get(0)) {
            case "header": return config.header(value, words.get(2));
            case "secret_header": return config.secretHeader(value, words.get(2));
            case "method": return config.method(value);
            case "body": return config.body(value);
            case "last_event_id": return config.lastEventId(value);
            case "retry": return config.retry(Long.parseLong(value), Long.parseLong(words.get(2)));
            case "max_retries": return config.maxRetries(Integer.parseInt(value));
            case "reconnect": return config.reconnect(ReconnectMode.valueOf(value.toUpperCase(Locale.ROOT)));
            case "standard_status": return config.standardStatus(true);
            case "response_timeout": return config.responseTimeout(Long.parseLong(value));
            case "idle_timeout": return config.idleTimeout(Long.parseLong(value));
            case "max_event_size": return config.maxEventSize(Long.parseLong(value));
            case "compression": return config.compression(true);
            default: say("lacks", words.get(0)); return config;
        }
    }

    private static void act(EventSource source, List<String> words) {
        switch (words.get(0)) {
            case "close": source.close(); break;
            case "reconnect": source.reconnect(); break;
            case "pause": source.pause(); break;
            case "resume": source.resume(); break;
            case "retry": source.retry(Long.parseLong(words.get(1))); break;
            default: throw new IllegalArgumentException("no action " + words);
        }
    }

    private void hear(EventSource source, String kind, Event event, Object... fields) {
        String count = String.valueOf(counts.merge(kind, 1, Integer::sum));
        for (List<String> rule : rules)
            if (rule.get(0).equals(kind) && rule.get(1).equals(count)) act(source, rule.subList(2, rule.size()));
        say(Stream.concat(Stream.of(kind, "id", event.getLastEventId(), "url", event.getUrl()), Arrays.stream(fields)).toArray());
    }

    @Override public void onConnect(EventSource source, Event.Connect e) { hear(source, "connect", e); }
    @Override public void onOpen(EventSource source, Event.Open e) { hear(source, "open", e); }
    @Override public void onMessage(EventSource source, Event.Message e) { hear(source, "message", e, "type", e.getType(), "data", e.getData()); }
    @Override public void onComment(EventSource source, Event.Comment e) { hear(source, "comment", e, "data", e.getText()); }
    @Override public void onError(EventSource source, Event.Error e) {
        hear(source, "error", e, "error", e.getKind(), "status", e.getHttpStatus(), "state", e.getState(), "retry", e.getRetryMs());
    }
    @Override public void onClose(EventSource source, Event.Close e) {
        hear(source, "close", e, "error", e.getKind(), "status", e.getHttpStatus());
        closed.countDown();
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        List<List<String>> sets = new ArrayList<>(), rules = new ArrayList<>();
        String url = "";
        EventSource source = null;
        JavaRunner hearer = null;
        for (String line; (line = in.readLine()) != null; ) {
            List<String> words = words(line), rest = words.subList(1, words.size());
            if (words.get(0).equals("set") && rest.get(0).equals("url")) url = rest.get(1);
            else if (words.get(0).equals("set")) sets.add(rest);
            else if (words.get(0).equals("on")) rules.add(rest);
            else if (words.get(0).equals("do")) act(source, rest);
            else if (words.get(0).equals("start")) {
                try {
                    Config config = new Config();
                    for (List<String> set : sets) config = set(config, set);
                    source = new EventSource(url, config);
                    source.start(hearer = new JavaRunner(new ArrayList<>(rules)));
                } catch (IllegalArgumentException refused) {
                    say("refused");
                }
            } else if (words.get(0).equals("end")) {
                if (source != null) {
                    source.close();
                    hearer.closed.await();
                }
                source = null;
                sets.clear();
                rules.clear();
                say("ended");
            }
        }
    }
}
