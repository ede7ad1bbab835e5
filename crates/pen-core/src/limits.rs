//! Every bound and default of the program, its reason, and what happens at the bound.
//!
//! Nothing outside this file invents a maximum, a default or a deadline.

/// Servers of one service, slots 0 to this minus one. A higher number in a command is an error.
pub const SERVERS_MAX: u32 = 16_384;
/// Services of one process. One more is an error.
pub const SERVICES_MAX: usize = 1_024;
/// Listening addresses of one service. One more is an error.
pub const LISTENERS_MAX: usize = 64;
/// Access lists per service, numbered from 0.
pub const ACL_LISTS: usize = 10;
/// Entries of one access list. One more is an error.
pub const ACL_ENTRIES_MAX: usize = 65_536;

/// Remembered clients of one service unless `-c` or `clients_max` says otherwise. When the table is
/// full the client seen least recently is forgotten.
pub const CLIENTS_DEFAULT: u32 = 2_048;
/// Highest `clients_max`.
pub const CLIENTS_MAX: u32 = 16_777_216;
/// Rows of the client table that a report copies under one lock.
pub const CLIENTS_AT_ONCE: u32 = 4_096;
/// Highest `conn_max`; what is really available is bounded by the descriptor limit.
pub const CONNECTIONS_MAX: u32 = 8_388_608;
/// Descriptors kept for control sessions, logs, files and listeners when `conn_max` is computed.
pub const DESCRIPTOR_RESERVE: u32 = 64;
/// Servers of all services that have metrics of their own, about 20 lines each; further ones are only
/// counted.
pub const METRICS_SERVERS_MAX: usize = 4_096;
/// Connections at the address of `metrics` at once. One more takes the place of the one that has been silent
/// longest; if none is silent it is answered 503.
pub const WEB_CONNECTIONS_MAX: usize = 32;
/// Connections there that may wait in the kernel's queue.
pub const WEB_BACKLOG: u32 = 64;
/// Bytes of a request's head; a longer one is answered 431.
pub const WEB_HEAD_MAX: usize = 8_192;
/// Fields of a request's head; with more it is answered 431.
pub const WEB_HEADERS_MAX: usize = 64;
/// Bytes of a request's body; a longer one is answered 413.
pub const WEB_BODY_MAX: usize = 4_096;
/// Bytes taken from a web client at once.
pub const WEB_PIECE: usize = 4_096;
/// Seconds a request may take to arrive, counted from its first byte or the connect; then it is answered
/// 408, or closed if nothing has come.
pub const WEB_REQUEST_S: u32 = 5;
/// Seconds an answer may take to be taken; then it is cut.
pub const WEB_ANSWER_S: u32 = 30;
/// Seconds a connection is kept between requests.
pub const WEB_IDLE_S: u32 = 75;
/// Requests on one connection; then it is closed.
pub const WEB_REQUESTS_MAX: u32 = 1_000;
/// Milliseconds for which an overview is not made anew: who asks all the time must not have the workers
/// add up all the time.
pub const WEB_FRESH_MS: u64 = 250;
/// Seconds that the web thread waits for the control thread to carry out a command of the page.
pub const WEB_STEER_S: u32 = 5;
/// Clients with the most visits that the overview names per service.
pub const TOP_CLIENTS: usize = 20;
/// Seconds from one sample of the history to the next.
pub const HISTORY_STEP_S: u32 = 5;
/// Samples of the history; the oldest goes.
pub const HISTORY_STEPS: usize = 60;
/// Services of which there is a history; later ones have none.
pub const HISTORY_SERVICES_MAX: usize = 32;
/// Servers of a service of which there is a history, emergency and abuse server apart; later ones
/// have none.
pub const HISTORY_SERVERS_MAX: usize = 32;
/// Connects to servers that may be pending per service before accepting pauses; clients whose first
/// bytes or handshake were waited for wait on.
pub const PENDING_DEFAULT: u32 = 100;
/// Highest `pending_max`.
pub const PENDING_MAX: u32 = 1_000_000;

/// Seconds a failed server is left out unless `-b` or `blacklist` says otherwise.
pub const BLACKLIST_DEFAULT_S: u32 = 30;
/// Seconds a connect to a server may take unless `-t` or `timeout` says otherwise.
pub const CONNECT_TIMEOUT_DEFAULT_S: u32 = 5;
/// Highest number of seconds any time setting takes: about 10 years.
pub const SECONDS_MAX: u32 = 315_360_000;
/// Highest value of a server's max, hard, weight and prio.
pub const SERVER_NUMBER_MAX: u32 = 1_000_000_000;
/// Seconds a client may take to send its first bytes when `peek` is on; then it is closed.
pub const PEEK_DEADLINE_S: u32 = 10;
/// Seconds a client waits for room in the service that it was routed to; then it is reset.
pub const ROUTE_WAIT_S: u32 = 10;
/// Bytes of a ClientHello. Browsers send up to 2 KB; a longer one is not taken for TLS.
pub const HELLO_MAX: usize = 64 * 1024;
/// Bytes in which such a message may come, record headers included; they are kept until there is a
/// server. A client that needs more is not taken for TLS.
pub const HELLO_WIRE_MAX: usize = 80 * 1024;
/// Routes of one service. One more is an error.
pub const ROUTES_MAX: usize = 4_096;
/// Services that a client may be routed through. Settings that lead further are an error.
pub const ROUTE_HOPS_MAX: usize = 8;
/// Seconds `recent` looks back without an argument.
pub const RECENT_DEFAULT_S: u32 = 300;

/// Highest `limit_conn`, `limit_rate` and `limit_burst`.
pub const LIMIT_MAX: u32 = 1_000_000;
/// Bits of an IPv4 address that make a source unless `limit_prefix4` says otherwise.
pub const LIMIT_PREFIX4_DEFAULT: u8 = 32;
/// The same for IPv6 and `limit_prefix6`: one user has at least a /64.
pub const LIMIT_PREFIX6_DEFAULT: u8 = 64;
/// Sources whose connections and arrivals are counted, in each service. When all are in use, a source
/// that is not among them is let in and not counted.
pub const SOURCES_MAX: usize = 262_144;
/// Sources at which those that need not be known are looked for.
pub const SOURCES_SWEEP_MIN: usize = 1_024;
/// Sources that a report names.
pub const SOURCES_SHOWN: usize = 20;

/// Clients accepted per wake-up (`-m`), default; below 1 becomes 1 with a note.
pub const ACCEPTS_DEFAULT: u32 = 100;
/// Highest `-m`.
pub const ACCEPTS_MAX: u32 = 10_000;
/// Highest idle and interval of `keepalive`, in seconds: the kernel takes no more.
pub const KEEPALIVE_MAX_S: u32 = 32_767;
/// Highest count of `keepalive`: the kernel takes no more.
pub const KEEPALIVE_COUNT_MAX: u32 = 127;
/// Highest `user_timeout`, in seconds: a day.
pub const USER_TIMEOUT_MAX_S: u32 = 86_400;
/// Highest `defer_accept`, in seconds: a client that is silent for longer never speaks.
pub const DEFER_ACCEPT_MAX_S: u32 = 3_600;
/// Lowest `rcvbuf` and `sndbuf` beside 0: with less the kernel's own books fill them. Below becomes
/// this with a note.
pub const SOCKET_BUFFER_MIN: u32 = 4_096;
/// Highest `rcvbuf` and `sndbuf`; the kernel caps them at net.core.rmem_max and wmem_max as well.
pub const SOCKET_BUFFER_MAX: u32 = 1_073_741_823;
/// Bytes of the name of a congestion control: the kernel takes no more.
pub const CONGESTION_NAME_MAX: usize = 15;
/// Listen queue (`-q`), default.
pub const BACKLOG_DEFAULT: u32 = 500;
/// Lowest listen queue; below becomes this with a note.
pub const BACKLOG_MIN: u32 = 50;
/// Highest `-q`; the kernel caps it at net.core.somaxconn as well.
pub const BACKLOG_MAX: u32 = 65_535;
/// Highest `workers`. More threads than this serve no machine that is known.
pub const WORKERS_MAX: u32 = 256;
/// A worker hands a fresh client over when another has fewer connections by more than this many ...
pub const SPREAD_MARGIN: u32 = 2;
/// ... and one for each so many of its own.
pub const SPREAD_SHARE: u32 = 8;
/// Workers that are looked at for each client; with more of them the next client looks at others.
pub const SPREAD_LOOKS: usize = 8;
/// Highest `idlers`.
pub const IDLERS_MAX: u32 = 65_535;
/// Highest `watchdog`, in seconds: who waits longer need not watch.
pub const WATCHDOG_MAX_S: u32 = 3_600;
/// Highest `debug`.
pub const DEBUG_MAX: u32 = 9;

/// Bytes of a control or file line without its end. A longer one is an error.
pub const LINE_MAX: usize = 4_096;
/// Words of a control or file line. More is an error.
pub const WORDS_MAX: usize = 256;
/// Depth of `include`. Deeper is an error (it is a loop).
pub const INCLUDE_DEPTH_MAX: usize = 8;
/// Files that one reading may read, each as often as it is included. One more is an error: files that include
/// others twice come to numbers without end long before they are too deep.
pub const INCLUDES_MAX: usize = 4_096;
/// Bytes of a configuration file. A larger one is an error.
pub const FILE_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of the database of `geoip_db`, which is kept in memory. A larger one is an error.
pub const GEOIP_DB_MAX: u64 = 1024 * 1024 * 1024;
/// Seconds from one writing of the state file to the next unless `state_interval` says otherwise: what
/// a crash forgets.
pub const STATE_INTERVAL_DEFAULT_S: u32 = 60;
/// Highest `state_interval`.
pub const STATE_INTERVAL_MAX_S: u32 = 86_400;
/// Bytes of a state file: the largest client table with the longest addresses. A larger one is not read,
/// and not written.
pub const STATE_FILE_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes of a line of a state file, without its end. A longer one is an error.
pub const STATE_LINE_MAX: usize = 512;
/// Bytes of a state file that are read at once.
pub const STATE_PIECE: usize = 256 * 1024;
/// Microseconds in which the client table is left to the workers between two parts that are written, or
/// taken in.
pub const STATE_PAUSE_US: u64 = 50;
/// Milliseconds by which the clocks of two machines, and two readings of one, may differ: a client that was
/// there no later than this after it was here is known better here.
pub const STATE_CLOCKS_MS: u64 = 1_000;
/// Seconds that the end of Pen waits for the state file to be written.
pub const STATE_LAST_WRITE_S: u64 = 10;
/// Networks of a database of countries that are looked at to tell whether it has any.
pub const GEOIP_DB_PROBES: usize = 10_000;
/// Bytes of a service or server name.
pub const NAME_MAX: usize = 64;
/// Control sessions at once. Further ones wait in the kernel's queue.
pub const CONTROL_SESSIONS_MAX: usize = 64;
/// Seconds a control session may be without progress; then it is closed. A line must be complete as long
/// after its first byte.
pub const CONTROL_IDLE_S: u32 = 5;
/// Control clients that may wait in the kernel's queue.
pub const CONTROL_BACKLOG: u32 = 64;
/// Bytes behind the first line of a control session that are thrown away before it is closed.
pub const CONTROL_WASTE: usize = 64 * 1024;
/// Milliseconds a change of settings waits for workers to close listeners that are gone.
pub const LISTENER_CLOSE_MS: u64 = 500;
/// Milliseconds between two looks at the connections that are left while Pen drains.
pub const DRAIN_LOOK_MS: u64 = 50;
/// Seconds in which a process that is to take over must be ready; then it is ended and everything stays
/// as it is. Host names and large files may take a while.
pub const UPGRADE_READY_S: u32 = 30;
/// Seconds that the process before waits for its connections after an upgrade if `drain_timeout` is 0; then
/// they are reset. With many upgrades a day processes must not pile up.
pub const UPGRADE_DRAIN_S: u32 = 86_400;
/// Seconds that the process before stays at least if it has UDP flows: their answers are under way.
pub const UPGRADE_LINGER_S: u32 = 5;
/// Seconds that a process that is ready waits to be told that it is in charge. The one before tells it at
/// once, or is gone.
pub const UPGRADE_CHARGE_S: u64 = 10;
/// Rounds of resolving that one change of settings may need: a file that names other hosts each
/// time it is read is given up.
pub const NAME_ROUNDS_MAX: u32 = 8;
/// Milliseconds an address may be away without having left the machine: whoever sets an interface up anew
/// takes its addresses and gives them back, which TCP survives.
pub const ADDRESS_GRACE_MS: u64 = 1_000;
/// Addresses of the machine that are watched; that a further one leaves is not noticed.
pub const ADDRESSES_MAX: usize = 65_536;
/// Seconds the control thread waits for an answer of the workers; then it reports what it has.
pub const WORKER_ANSWER_S: u32 = 2;
/// Seconds a host name of a control line may take to resolve; then it counts as unresolvable.
pub const RESOLVE_S: u32 = 10;
/// Look-ups of host names at once. A resolver that hangs holds this many threads and no more;
/// further names wait for their deadline.
pub const RESOLVE_THREADS: usize = 16;
/// Host names that may wait for a look-up: more than one service can have servers, so that a reload
/// never fails where the start did not. One more is an error.
pub const RESOLVE_QUEUE: usize = 65_536;

/// Bytes one read may take: the scratch buffer of a worker. Measured: 16 and 32 KiB lose half of
/// the bulk rate of this size.
pub const SCRATCH: usize = 256 * 1024;
/// Bytes one read takes until a direction proves to be bulky; bounds what a slow reader can pin.
pub const READ_MODEST: usize = 64 * 1024;
/// The same while memory is short.
pub const READ_TIGHT: usize = 4 * 1024;
/// Highest `mem_max`, in MiB: 16 TiB, which is as good as none.
pub const MEMORY_MAX_MIB: u32 = 16 * 1024 * 1024;
/// Percent of the control group's limit that Pen allows itself unless `mem_max` says otherwise: what
/// the kernel holds for it is not all in the figure, and it must never be ended for memory.
pub const MEMORY_SHARE_PERCENT: u64 = 70;
/// Percent of the budget at which idle connections end earlier and reads are small.
pub const MEMORY_TIGHT_PERCENT: u64 = 85;
/// Percent of the budget at which nobody is accepted.
pub const MEMORY_FULL_PERCENT: u64 = 95;
/// Percent of the budget at which connections are closed, until less is used.
pub const MEMORY_CRITICAL_PERCENT: u64 = 98;
/// Percent of the budget below a stage at which it is left.
pub const MEMORY_LEAVE_PERCENT: u64 = 3;
/// Milliseconds between two looks at what is used, while something happens.
pub const MEMORY_LOOK_MS: u64 = 100;
/// The least of these, where a worker waits for the next look and memory is not short.
pub const MEMORY_LOOK_AGAIN_MS: u64 = 5;
/// Seconds after which idle connections end when memory begins to be short ...
pub const MEMORY_IDLE_FIRST_S: u32 = 300;
/// ... and when it is at its shortest. Who is quiet for so long makes room while memory stays full.
pub const MEMORY_IDLE_LAST_S: u32 = 5;
/// Looks in a row at which memory is full until stalled and long quiet connections are closed: a second.
pub const MEMORY_FULL_LOOKS: u32 = 10;
/// Milliseconds without an event after which a connection with unsent bytes is stalled.
pub const MEMORY_STALLED_MS: u64 = 1_000;
/// Bytes that a worker may take from one look to the next even if there is no memory left: reads that
/// find a sink full. Clients who read what they are sent cost nothing of it.
pub const MEMORY_TRICKLE: u64 = 64 * 1024;
/// Bytes in a Unix socket that count as read by the other side: the kernel keeps a few until it has told
/// that there is room, and no message takes so few.
pub const UNIX_REST: usize = 512;
/// Bytes that a new connection counts as. Measured, with what the kernel holds for both sockets: 5.8 KiB.
pub const MEMORY_PER_CONNECTION: u64 = 8 * 1024;
/// Bytes that a TLS session counts as beside that.
pub const MEMORY_PER_SESSION: u64 = 32 * 1024;
/// Bytes that a new flow (UDP) counts as.
pub const MEMORY_PER_FLOW: u64 = 1024;
/// Bytes that closing a connection is thought to free beside its unsent bytes: less than it does, so that
/// enough are closed at once.
pub const MEMORY_FREED: u64 = 4 * 1024;
/// Bytes that make a turn of a direction a bulky one.
pub const BULKY_TURN: u64 = 32 * 1024;
/// Bytes moved in bulky turns after which a direction is bulky.
pub const BULKY_AFTER: u32 = 1024 * 1024;
/// Bytes a pipe of the splicing engine can hold. Measured: 64 KiB is too little to pay, 1 MiB brings
/// nothing more.
pub const PIPE_SIZE: usize = 512 * 1024;
/// Pipes of one worker. Bulky flows beyond are copied. Also bounds what stalled bulky flows pin.
pub const PIPES_PER_WORKER: usize = 64;
/// Requests for a pipe that are declined after the kernel refused one; then it is asked again.
pub const PIPE_RETRY_AFTER: u32 = 1_024;
/// Turns in a row that move little after which a bulky direction is copied again.
pub const SMALL_TURNS: u8 = 4;
/// Reads of one direction per loop turn before the others get theirs.
pub const READS_PER_TURN: u32 = 16;
/// Bytes of an HTTP request head that `http` will rewrite. A longer one closes the connection:
/// passing it on would let a client forge its own address.
pub const HTTP_HEAD_MAX: usize = 64 * 1024;
/// Seconds a request's head may take with `http`, from its first byte to its end, default; then the
/// connection is reset. Honest clients need less than one.
pub const HTTP_HEAD_TIMEOUT_DEFAULT_S: u32 = 10;
/// Header fields of a request head that `http` will read.
pub const HTTP_HEADERS_MAX: usize = 256;
/// Bytes kept of a reply's line that came in pieces while `http` follows the replies. With a longer
/// one it stops following: CONNECT and Upgrade are then told by what the client sends.
pub const HTTP_FIELD_KEPT: usize = 8 * 1024;
/// Requests a client may send ahead of the replies until `http` stops following them (as above).
pub const HTTP_REQUESTS_AHEAD_MAX: u32 = 64;
/// Seconds a TLS client may take from its accept to the end of the handshake, default; then it is
/// closed.
pub const TLS_HANDSHAKE_TIMEOUT_DEFAULT_S: u32 = 10;
/// TLS handshakes of the process that may be unfinished, default; beyond, the oldest one of the
/// worker is closed for each new one, because an honest client needs milliseconds.
pub const TLS_HANDSHAKES_DEFAULT: u32 = 10_000;
/// Unfinished TLS handshakes of one service and client address (of a /64 network in IPv6), default;
/// further ones are closed at once. Many users may stand behind one address.
pub const TLS_HANDSHAKES_PER_CLIENT_DEFAULT: u32 = 1_000;
/// Bytes of a TLS record or handshake message that are kept until the rest of it has come: a message
/// of 64 KiB in records of a few bytes. One in smaller pieces closes the connection.
pub const TLS_PARTIAL_MAX: usize = 128 * 1024;
/// Characters of a client certificate's subject that reports and messages show; the rest becomes
/// `...`. Whoever signs the certificates may write 64 KiB into one.
pub const TLS_SUBJECT_MAX: usize = 1_024;
/// Bytes one read takes during a TLS handshake: what a client says ahead of the end of it is kept until
/// a server is there.
pub const TLS_HANDSHAKE_READ: usize = 16 * 1024;
/// Highest `ssl_handshakes_max` and `ssl_handshakes_per_client`.
pub const TLS_HANDSHAKES_MAX: u32 = 1_000_000;
/// Protocols that `ssl_alpn` takes. One more is an error.
pub const TLS_ALPN_MAX: usize = 16;
/// Bytes of a protocol's name in TLS.
pub const TLS_ALPN_NAME_MAX: usize = 255;
/// Bytes of a file with a certificate or key. A larger one is an error.
pub const TLS_FILE_MAX: u64 = 1024 * 1024;
/// Bytes of a file of certificate authorities. A larger one is an error.
pub const TLS_CA_FILE_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of a file of revocation lists. A larger one is an error.
pub const TLS_CRL_MAX: u64 = 128 * 1024 * 1024;
/// Bytes of an OCSP response: it is sent in handshakes. A larger one is not stapled.
pub const TLS_OCSP_MAX: u64 = 32 * 1024;
/// Certificates of a file with a chain. One more is an error.
pub const TLS_CHAIN_MAX: usize = 64;
/// Certificate authorities of a service, or of a file that servers are verified by. One more is an
/// error.
pub const TLS_CA_MAX: usize = 4_096;
/// Authorities that are named to clients; with more of them none is, and the client chooses.
pub const TLS_CA_HINTS_MAX: usize = 64;
/// Certificates in a directory of names. One more is an error.
pub const TLS_NAMES_MAX: usize = 16_384;
/// Files in a directory of names or authorities. One more is an error.
pub const TLS_DIRECTORY_MAX: usize = 131_072;
/// Bytes of a domain name (RFC 1035), in certificates, routes and what clients ask for.
pub const DOMAIN_MAX: usize = 253;
/// Seconds between two looks at OCSP responses and at what expires.
pub const TLS_LOOK_S: u32 = 60;
/// Seconds by which the clock of an OCSP responder may be ahead.
pub const TLS_OCSP_SKEW_S: i64 = 300;
/// Sessions that are kept in memory with `ssl_early_data`; the oldest is forgotten.
pub const TLS_SESSIONS_MAX: usize = 16_384;
/// Bytes of early data that a client may send with `ssl_early_data`. More ends the handshake.
pub const TLS_EARLY_DATA_MAX: u32 = 16 * 1024;
/// Tickets kept of one server to resume sessions with; the oldest is forgotten. A server sends two
/// per handshake, each can be used once.
pub const TLS_SERVER_TICKETS: usize = 8;
/// Milliseconds an aborted connection waits for its last bytes to reach the other side before the
/// reset is sent.
pub const ABORT_FLUSH_MS: u64 = 5_000;
/// Milliseconds accepting pauses when descriptors or memory ran out.
pub const ACCEPT_PAUSE_MS: u64 = 100;
/// Milliseconds between two attempts to replace a lost idler of a service.
pub const IDLER_RETRY_MS: u64 = 1_000;

/// VLAN tags of a frame in a row: a provider's and a customer's. A frame with more is malformed.
pub const VLAN_TAGS_MAX: usize = 2;
/// IPv6 extension headers of a packet in a row. Real packets have two or three; one with more is
/// malformed.
pub const IPV6_HEADERS_MAX: usize = 8;
/// Places of a Maglev table for up to [`MAGLEV_SMALL_SERVERS`] servers, at least a hundred for each.
/// Prime, so that whatever step a server takes through the table leads it to every place.
pub const MAGLEV_SMALL: u32 = 65_537;
/// The same for more servers: the largest prime below 2^21, at least a hundred places for each of
/// 16,384.
pub const MAGLEV_LARGE: u32 = 2_097_143;
/// Servers beyond which the large table is used.
pub const MAGLEV_SMALL_SERVERS: usize = 655;
/// Places that are looked at when the first server is out; then the next one in order is taken.
pub const MAGLEV_RETRIES: u64 = 32;
/// Flows that one thread of a service with `dsr_if` remembers, 16 bytes each. The one of its row that
/// was quiet longest makes room; a flow that is forgotten goes where the table sends it, which is where
/// it went before unless servers came or went meanwhile.
pub const DSR_FLOWS: usize = 262_144;
/// Seconds without a frame after which a flow of `dsr_if` is forgotten: as long as TCP's own keepalive
/// lets a connection be silent.
pub const DSR_FLOW_S: u32 = 7_200;
/// Packets in fragments that one thread of `dsr_if` remembers; a later one takes the place. Without
/// their beginning, fragments go by the client's address, and with `roundrobin` nowhere.
pub const DSR_FRAGMENTS: usize = 4_096;
/// Milliseconds for which they are remembered: as long as a receiver waits for the rest.
pub const DSR_FRAGMENT_MS: u64 = 30_000;
/// Milliseconds between two questions for the hardware address of a server that does not answer.
pub const DSR_ASK_MS: u64 = 1_000;
/// Milliseconds after which a server's hardware address is asked for again.
pub const DSR_REFRESH_MS: u64 = 5_000;
/// Questions in a row without an answer that make a server count as down.
pub const DSR_UNANSWERED: u32 = 3;
/// Milliseconds between two looks at the servers of `dsr_if`.
pub const DSR_LOOK_MS: u64 = 250;
/// Milliseconds between two looks at its interface.
pub const DSR_LINK_MS: u64 = 1_000;
/// Bytes of the ring of one thread of `dsr_if`. What arrives while it is full is lost and counted.
pub const DSR_RING: usize = 8 * 1024 * 1024;
/// Bytes of frames that are larger than a place of the ring, and of frames on their way out.
pub const DSR_QUEUE: usize = 4 * 1024 * 1024;
/// Bytes of the largest frame: what the kernel joins at most, with all headers.
pub const DSR_FRAME_MAX: usize = 66_000;
/// Frames that are looked at before they are sent together.
pub const DSR_BATCH: usize = 64;
/// Seconds between two attempts to hear an interface that was made anew.
pub const DSR_RETRY_S: u64 = 10;
/// Questions per look. Further servers are asked at the next one.
pub const DSR_ASKS_PER_LOOK: usize = 256;
/// Addresses of which the tarpit remembers whether they exist; a later one takes the place, and then
/// it is asked for again before it is answered for.
pub const TARPIT_CENSUS: usize = 4_096;
/// Milliseconds a machine may take to answer for its address before the tarpit does.
pub const TARPIT_PATIENCE_MS: u64 = 300;
/// Milliseconds after which an address that nobody answered for is asked for again.
pub const TARPIT_VACANT_MS: u64 = 60_000;
/// Milliseconds for which an address that somebody spoke from is left alone.
pub const TARPIT_EXISTS_MS: u64 = 600_000;
/// Answers of a service's tarpit per second, default. Further questions are dropped and counted.
pub const TARPIT_RATE_DEFAULT: u32 = 1_000;
/// Highest `tarpit_rate`.
pub const TARPIT_RATE_MAX: u32 = 1_000_000;
/// The window that the tarpit offers: what a client sends into it is never taken.
pub const TARPIT_WINDOW: u16 = 1_024;
/// Bytes of the name of an interface: the kernel takes no more.
pub const INTERFACE_NAME_MAX: usize = 15;

/// Bytes of request text in the classic log file.
pub const LOG_TEXT_MAX: usize = 100;
/// Bytes of a classic log datagram.
pub const LOG_DATAGRAM_MAX: usize = 1_024;
/// Batches of log lines that may wait for the log thread. Further ones are counted as lost.
pub const LOG_QUEUE: usize = 1_024;
/// Bytes of a read that a dump at debug level 3 shows.
pub const DUMP_MAX: usize = 256;
/// Bytes of log lines at which a batch is handed over, and at which the log thread writes.
pub const LOG_BATCH: usize = 32 * 1024;
/// Changes of log targets that may wait for the log thread. One more is an error.
pub const LOG_ORDERS: usize = 4_096;
/// Milliseconds that a full standard output or standard error is given once; then what is for it is lost
/// until there is room again.
pub const READER_MOMENT_MS: u64 = 200;
/// Bytes of one line of an operator message. The rest is left out.
pub const MESSAGE_MAX: usize = 1_024;
/// Messages per second and topic that traffic can trigger. Further ones are counted, not written.
pub const MESSAGES_PER_S: u32 = 10;
/// Seconds between two reports that a log cannot be written.
pub const LOG_TROUBLE_S: u64 = 10;
/// Servers whose turn `explain` tells where frames are passed on; the others are named without it. Each
/// turn is a look-up of its own.
pub const EXPLAIN_TURNS_MAX: u32 = 16;
/// Protocols that `explain` takes. One more is an error.
pub const EXPLAIN_PROTOCOLS_MAX: usize = 16;
/// Servers that were passed over or failed, as a connection remembers them for the connection log.
/// Further ones are counted.
pub const TRIES_KEPT: usize = 16;
/// Fields of a template of the connection log. One more is an error.
pub const TEMPLATE_FIELDS_MAX: usize = 64;
/// Highest `every` of the connection log, in seconds: a day.
pub const LOG_EVERY_MAX_S: u32 = 86_400;
/// Connections that a worker collects for the connection log before it hands them over.
pub const LOG_RECORDS: usize = 64;
/// Milliseconds after which it hands over what it has: waking the log thread for each connection would cost
/// more than its line.
pub const LOG_RECORDS_MS: u64 = 100;
/// Protocols of a hello that a message repeats.
pub const PROTOCOLS_SHOWN: usize = 4;
/// Events that are kept for whoever asks or watches. The oldest one makes room; who has not seen it is
/// told how many he missed.
pub const EVENTS_KEPT: usize = 256;
/// Events, the newest ones, that an overview shows.
pub const OVERVIEW_EVENTS: usize = 100;
/// Seconds in which an event that repeats is shown once; then one line stands for the others.
pub const EVENT_REPEAT_S: u32 = 10;
/// Seconds that become of it, doubling, while it goes on repeating.
pub const EVENT_REPEAT_MAX_S: u32 = 640;
/// Times that the state of one server is shown to change in [`EVENT_REPEAT_S`]; then the last one.
pub const EVENT_BURST: u32 = 4;
/// Kinds of events (key, service, server, cause) that are told apart in that. Further ones are shown
/// each time.
pub const EVENT_KINDS_MAX: usize = 16_384;
/// Services, servers or settings that the summary of a change names; the rest is counted.
pub const CHANGES_NAMED: usize = 16;
/// Control sessions that watch events at once; a further one is refused. The others are for commands.
pub const WATCHERS_MAX: usize = 16;
/// Bytes of one `penctl` command.
pub const PENCTL_COMMAND_MAX: usize = 1_000;
/// Seconds `penctl` waits for one address to answer its connect.
pub const PENCTL_CONNECT_S: u32 = 10;
/// Seconds between two looks of `penctl top`.
pub const PENCTL_TOP_S: u32 = 2;
/// Bytes of one reply that `penctl top` takes in. A longer one is an error.
pub const PENCTL_TOP_REPLY_MAX: usize = 64 << 20;
/// Bytes of one line that `penctl watch` takes in; a longer one is cut.
pub const PENCTL_EVENT_MAX: usize = 64 * 1024;
/// Files that `penctl` looks at for the one that a wrong path may have meant.
pub const PENCTL_NEIGHBOURS_MAX: usize = 1_000;
/// Bytes of one line of `penctl -`. A longer one is an error.
pub const PENCTL_LINE_MAX: usize = 64 * 1024;
/// Longest pause before `penctl top` and `penctl watch` try again to connect, in milliseconds.
pub const PENCTL_AGAIN_MAX_MS: u64 = 5_000;
/// First such pause.
pub const PENCTL_AGAIN_MS: u64 = 200;
/// Looks of which `penctl top` keeps the numbers for its curves.
pub const PENCTL_TOP_STEPS: usize = 60;
/// Seconds without a byte of the reply after which `penctl` gives up; longer than the daemon takes
/// to resolve names.
pub const PENCTL_ANSWER_S: u32 = 60;

/// Bytes of a web line that `penlog` sends as one datagram, with its end; what UDP can carry is a
/// little more. The rest of a longer line is left out and counted.
pub const PENLOG_LINE_MAX: usize = 65_000;
/// Seconds between two attempts of `penlog` to find a host that refuses or cannot be reached, and
/// between two words about it.
pub const PENLOG_TROUBLE_S: u64 = 10;
/// Addresses of the host that `penlog` goes through when one refuses. Further ones are not tried.
pub const PENLOG_ADDRESSES_MAX: usize = 16;
/// Bytes of the longest datagram there is: none is cut by `penlogd`.
pub const PENLOGD_DATAGRAM_MAX: usize = 65_536;
/// Entries that `penlogd` remembers unless `-n` says otherwise. The oldest one makes room.
pub const PENLOGD_ENTRIES_DEFAULT: u32 = 1_000;
/// Highest `-n` of `penlogd`: about 100 MB.
pub const PENLOGD_ENTRIES_MAX: u32 = 1_000_000;
/// Bytes of lines that `penlogd` keeps for a reader that is too slow. Further lines are counted as
/// lost.
pub const PENLOGD_BACKLOG: usize = 1024 * 1024;
/// Milliseconds a web line waits in `penlogd` for its entry, which comes another way and may be a
/// little later; and the lines behind it, so that their order stays. Then it is written as it came.
pub const PENLOGD_GRACE_MS: u64 = 200;
/// Bytes of lines that wait so. Beyond, the first one waits no longer.
pub const PENLOGD_HELD: usize = 4 * 1024 * 1024;
/// Milliseconds a line may wait in `penlogd` for company before it is written.
pub const PENLOGD_FLUSH_MS: u64 = 1_000;
/// Bytes that `penlogd` asks the kernel to queue for it; the kernel may grant less. What does not
/// fit is lost by the kernel, which counts it.
pub const PENLOGD_QUEUE: usize = 4 * 1024 * 1024;
/// Datagrams that `penlogd` takes before it looks at signals and at its output.
pub const PENLOGD_DATAGRAMS_PER_TURN: usize = 256;
/// Bytes of the client's address in an entry of the classic log; with more it is no entry.
pub const LOG_CLIENT_MAX: usize = 64;
/// Bytes of a line that `mergelogs` takes. A longer one is no log line and is named as such.
pub const MERGE_LINE_MAX: usize = 64 * 1024;
/// Seconds that clocks of Pen and web servers may differ unless `-j` of `mergelogs` says otherwise.
pub const MERGE_JITTER_DEFAULT_S: u32 = 600;
/// Entries of the classic log that `mergelogs` keeps at once: about 200 MB. Beyond, those farthest in
/// time from the web line at hand are let go or not read yet, and are counted.
pub const MERGE_WINDOW_MAX: usize = 1_000_000;
/// Web lines that `mergelogs -c` takes through the whole classic log at once.
pub const MERGE_BATCH_LINES: usize = 50_000;
/// Bytes of such lines.
pub const MERGE_BATCH_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of all read buffers of `mergelogs` together, as far as [`MERGE_BUFFER_MIN`] allows.
pub const MERGE_BUFFERS: usize = 32 * 1024 * 1024;
/// Bytes of the smallest read buffer of a file.
pub const MERGE_BUFFER_MIN: usize = 4 * 1024;
/// Bytes of the largest read buffer of a file.
pub const MERGE_BUFFER_MAX: usize = 256 * 1024;
/// Descriptors that `mergelogs` keeps free of files that stay open. Further files are opened for each
/// read.
pub const MERGE_DESCRIPTOR_RESERVE: u64 = 32;
/// Lines that `mergelogs` names one by one. Further ones are counted; `-r` keeps them all.
pub const MERGE_NAMED_MAX: u64 = 100;
/// Milliseconds between two reports of progress on a terminal.
pub const MERGE_PROGRESS_MS: u64 = 500;
/// Lines between two looks at the clock for that.
pub const MERGE_PROGRESS_LINES: u64 = 4_096;

/// Events a worker takes from the kernel per loop turn; the others come in the next one.
pub const EVENTS_PER_TURN: usize = 512;
/// Milliseconds between two looks at what is not acknowledged yet, if few connections wait.
pub const FLUSH_LOOK_MS: u64 = 2;
/// Connections looked at per millisecond, if many wait: a server that dies under ten thousand slow
/// readers must not keep the worker busy with looking.
pub const FLUSH_LOOKS_PER_MS: u64 = 50;
/// Seconds the last lines may take to reach log and terminal at the end of the start and of the
/// process; then they are lost.
pub const LAST_LINES_S: u64 = 2;
/// Milliseconds that a lower `debug` waits for the lines that were said before.
pub const SILENCE_MS: u64 = 250;
/// Milliseconds that a process that ends because of a defect leaves to its last line, and then to
/// the other workers for resetting their connections.
pub const LAST_MOMENT_MS: u64 = 250;
/// Bytes taken from a control client at once; one that sends more than a line is read no further.
pub const CONTROL_PIECE: usize = 4_096;
/// Bytes of a first word that may still be an HTTP method: the longest registered one has 17. With
/// a longer one a stream is not taken for HTTP; without this, one without blanks would never be
/// decided.
pub const HTTP_METHOD_MAX: usize = 32;
/// Characters of a foreign word that a message repeats; the rest is left out.
pub const SHOWN_MAX: usize = 64;
/// Connections one server of `--demo` answers at once; further ones are closed.
pub const DEMO_AT_ONCE: usize = 64;
/// Seconds a client of a `--demo` server may take to say what it wants; then it is closed.
pub const DEMO_PATIENCE_S: u64 = 5;
/// Servers of the built-in farm of `--demo`.
pub const DEMO_SERVERS: usize = 3;
/// Port of `--demo` unless it says otherwise.
pub const DEMO_PORT: u16 = 8080;

/// Seconds without a datagram after which a UDP flow is forgotten unless `udp_timeout` says otherwise:
/// the two minutes that RFC 4787 asks of whoever stands between the ends.
pub const UDP_TIMEOUT_DEFAULT_S: u32 = 120;
/// Highest `udp_answers`.
pub const UDP_ANSWERS_MAX: u32 = 1_000_000;
/// Flows of one UDP service unless `-x` or `conn_max` says otherwise, some 60 MB when all are there.
/// At the bound the flow that was quiet longest makes room.
pub const UDP_FLOWS_DEFAULT: u32 = 131_072;
/// Local ports towards UDP servers, of all workers together: half of what the kernel hands out by
/// default. Flows to different servers share one; flows to the same server do not. At the bound the
/// flow that was quiet longest makes room.
pub const UDP_PORTS_MAX: u32 = 14_000;
/// Flows that may be ended in the search for a local port for one new flow; then its datagram is
/// dropped.
pub const UDP_PORT_TRIES: u32 = 8;
/// Local ports of one worker without a flow that are kept for the next ones; further ones are closed.
pub const UDP_PORTS_SPARE: usize = 256;
/// Flows that one local port serves before it is replaced: who would forge answers must not know it
/// for ever.
pub const UDP_PORT_USES: u32 = 1_024;
/// Datagrams taken or handed over by one system call.
pub const UDP_BATCH: usize = 64;
/// Calls for one listening address per loop turn before the others get theirs.
pub const UDP_ROUNDS_PER_TURN: u32 = 4;
/// Datagrams of clients that are asked for at once while few come: twice as many as came before.
pub const UDP_BATCH_MIN: usize = 8;
/// Datagrams of one server that are taken in one loop turn before the others get theirs.
pub const UDP_ANSWERS_PER_TURN: usize = 64;
/// Answers that are asked for at once at a local port, where mostly one waits.
pub const UDP_ANSWERS_AT_ONCE: usize = 8;
/// Bytes that a received datagram, or several that the kernel joined, may have: no UDP datagram has
/// more.
pub const UDP_DATAGRAM_MAX: usize = 65_536;
/// Bytes of datagrams that are handed to the kernel joined, to be cut by it or by the network card:
/// what fits into an Ethernet frame whatever the family. Longer ones go one by one.
pub const UDP_JOINED_MAX: usize = 1_452;
/// Datagrams that are handed to the kernel joined; it takes no more.
pub const UDP_JOINED_COUNT: usize = 64;
/// Bytes of a socket's receive buffer that are asked for: some 20 ms of 100,000 datagrams per second.
/// A kernel that gives less loses bursts; it says so in the counter `receive_queue_full`.
pub const UDP_RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// Servers that one datagram is tried at when the kernel knows at once that it cannot get there; then
/// it is dropped.
pub const UDP_SENDS_MAX: u32 = 16;
/// ICMP messages read from one socket per loop turn before the others get theirs.
pub const UDP_ERRORS_PER_TURN: u32 = 64;

const _: () = assert!(READ_MODEST <= SCRATCH);
const _: () = assert!(BACKLOG_MIN <= BACKLOG_DEFAULT && BACKLOG_DEFAULT <= BACKLOG_MAX);
const _: () = assert!(LOG_TEXT_MAX < LOG_DATAGRAM_MAX);
const _: () = assert!(TLS_PARTIAL_MAX + READ_MODEST <= SCRATCH);
