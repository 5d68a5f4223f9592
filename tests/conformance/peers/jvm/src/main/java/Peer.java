import com.launchdarkly.eventsource.ConnectStrategy;
import com.launchdarkly.eventsource.ErrorStrategy;
import com.launchdarkly.eventsource.EventSource;
import com.launchdarkly.eventsource.FaultEvent;
import com.launchdarkly.eventsource.HttpConnectStrategy;
import com.launchdarkly.eventsource.MessageEvent;
import com.launchdarkly.eventsource.ReadyState;
import com.launchdarkly.eventsource.RetryDelayStrategy;
import com.launchdarkly.eventsource.StartedEvent;
import com.launchdarkly.eventsource.StreamClosedByCallerException;
import com.launchdarkly.eventsource.StreamEvent;
import com.launchdarkly.eventsource.StreamException;
import com.launchdarkly.eventsource.StreamHttpErrorException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import okhttp3.RequestBody;

/** okhttp-eventsource, pulled, as a conformance runner; ../../../../../README.md has the protocol. */
final class Peer {
    private static void say(Object... words) {
        System.out.println(Arrays.stream(words).map(word -> URLEncoder.encode(String.valueOf(word), StandardCharsets.UTF_8))
            .map(word -> word.isEmpty() ? "%" : word).collect(Collectors.joining(" ")));
    }

    private static EventSource start(String url, List<List<String>> sets) {
        HttpConnectStrategy strategy = ConnectStrategy.http(URI.create(url))
            .header("Pragma", "no-cache").readTimeout(0, TimeUnit.SECONDS);
        String method = null;
        RequestBody body = null;
        long first = 10;
        for (List<String> set : sets) {
            switch (set.get(0)) {
                case "header": strategy = strategy.header(set.get(1), set.get(2)); break;
                case "method": method = set.get(1); break;
                case "body": body = RequestBody.create(set.get(1).getBytes(StandardCharsets.UTF_8)); break;
                case "retry": first = Math.max(10, Long.parseLong(set.get(1))); break;
                case "standard_status": break; // below
                default: say("lacks", set.get(0));
            }
        }
        if (method != null) strategy = strategy.methodAndBody(method, body);
        // As the standard has it: a status is final, all else is retried.
        ErrorStrategy errors = new ErrorStrategy() {
            @Override public Result apply(StreamException exception) {
                boolean ends = exception instanceof StreamHttpErrorException || exception instanceof StreamClosedByCallerException;
                return new Result(ends ? Action.THROW : Action.CONTINUE, null);
            }
        };
        return new EventSource.Builder(strategy).errorStrategy(errors).retryDelay(first, TimeUnit.MILLISECONDS)
            .retryDelayStrategy(RetryDelayStrategy.defaultStrategy().jitterMultiplier(0).backoffMultiplier(1)).build();
    }

    private static void follow(EventSource source, List<List<String>> rules) {
        Map<String, Integer> counts = new HashMap<>();
        try {
            while (source.getState() != ReadyState.SHUTDOWN) {
                StreamEvent event = source.readAnyEvent();
                List<Object> words = new ArrayList<>();
                if (event instanceof MessageEvent) {
                    MessageEvent message = (MessageEvent) event;
                    Object id = message.getLastEventId() == null ? "" : message.getLastEventId();
                    words.addAll(Arrays.asList("message", "type", message.getEventName(), "data", message.getData(), "id", id));
                } else if (event instanceof StartedEvent) words.add("open");
                else if (event instanceof FaultEvent) words.add("error");
                else continue;
                String count = String.valueOf(counts.merge(String.valueOf(words.get(0)), 1, Integer::sum));
                for (List<String> rule : rules)
                    if (rule.get(0).equals(words.get(0)) && rule.get(1).equals(count)) source.close();
                say(words.toArray());
            }
        } catch (StreamException end) {
            // Its word for having been closed is no error.
            if (!(end instanceof StreamClosedByCallerException)) say("error");
        } catch (RuntimeException end) {
            say("threw", end.getClass().getSimpleName()); // to whoever reads, for good
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        List<List<String>> sets = new ArrayList<>(), rules = new ArrayList<>();
        String url = "";
        EventSource source = null;
        Thread thread = null;
        for (String line; (line = in.readLine()) != null; ) {
            List<String> words = Arrays.stream(line.split(" ")).map(w -> w.equals("%") ? "" : URLDecoder.decode(w, StandardCharsets.UTF_8)).collect(Collectors.toList());
            List<String> rest = words.subList(1, words.size());
            if (words.get(0).equals("set") && rest.get(0).equals("url")) url = rest.get(1);
            else if (words.get(0).equals("set")) sets.add(rest);
            else if (words.get(0).equals("on")) rules.add(rest);
            else if (words.get(0).equals("do") && source != null) source.close();
            else if (words.get(0).equals("start")) {
                try {
                    EventSource made = source = start(url, sets);
                    List<List<String>> all = new ArrayList<>(rules);
                    thread = new Thread(() -> follow(made, all));
                    thread.start();
                } catch (RuntimeException refused) {
                    say("refused");
                }
            } else if (words.get(0).equals("end")) {
                if (source != null) source.close();
                if (thread != null) thread.join();
                source = null;
                thread = null;
                sets.clear();
                rules.clear();
                say("ended");
            }
        }
    }
}
