/*
 * The heart of tail.kt in Java: follows an event stream and prints its messages until the server ends it.
 *
 *   java -cp target/kotlin/eventsource/eventsource-0.1.0.jar:kotlin-stdlib.jar examples/Tail.java URL
 */
import io.github.libeventsource.Config;
import io.github.libeventsource.ErrorKind;
import io.github.libeventsource.Event;
import io.github.libeventsource.EventSource;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.util.concurrent.CountDownLatch;

public final class Tail {
    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8"); // whatever the locale
        CountDownLatch closed = new CountDownLatch(1);
        Config config = new Config().header("Accept-Language", "en").idleTimeout(60_000);
        try (EventSource source = new EventSource(arguments[0], config)) {
            source.start(new EventSource.Listener() {
                @Override
                public void onMessage(EventSource source, Event.Message event) {
                    out.print(event.getType() + ": " + event.getData() + "\n");
                }

                @Override
                public void onClose(EventSource source, Event.Close event) {
                    if (event.getKind() != ErrorKind.ENDED) System.err.println("tail: " + event.getMessage());
                    closed.countDown();
                }
            });
            closed.await();
        }
    }
}
