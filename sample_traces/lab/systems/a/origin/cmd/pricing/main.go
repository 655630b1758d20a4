// Command pricing answers what a product costs today. Over HTTPS its private key sits behind a key server: each
// handshake pays one signature of -sign-delay, as with a cloud KMS or a keyless front.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"seamscope.example/origin/internal/telemetry"
	"seamscope.example/origin/internal/witness"
)

// unpriced is a product whose price list is broken: asking for it fails, as one thing always does.
const unpriced = 404

type price struct {
	SKU   int `json:"sku"`
	Cents int `json:"price_cents"`
}

// pause is what a quote waits for a lock that another team's batch holds.
var pause time.Duration

// cold is what loading the price lists takes, which happens when a new process is first asked for a quote.
var cold time.Duration

// shown says whether that is seen in the traces.
var shown bool

var load = sync.OnceFunc(func() { time.Sleep(cold) })

// loaded waits until the price lists are there.
func loaded(ctx context.Context) {
	if ready.Load() {
		return
	}
	if shown {
		_, span := otel.Tracer("pricing").Start(ctx, "load price lists", trace.WithAttributes(attribute.String("seamscope.phase", "cold_start")))
		defer span.End()
	}
	started := witness.Now()
	load()
	ready.Store(true)
	witness.Since(ctx, "cold_start", witness.Own(), started, "a timer around the wait for the price lists")
}

var ready atomic.Bool

// rounds of SHA-256 that one quote costs: a price list that is sealed.
var rounds int

// seal does a quote's work.
func seal(times int) {
	sum := sha256.Sum256([]byte("price list"))
	for range times {
		sum = sha256.Sum256(sum[:])
	}
	sealed.Store(sum[0] == 0)
}

var sealed atomic.Bool // so that the work is not optimised away

// quotes answers GET /quotes?sku=1&sku=2 with a price per product, or 503 for a broken price list.
func quotes(w http.ResponseWriter, r *http.Request) {
	loaded(r.Context())
	seal(rounds)
	time.Sleep(pause)
	prices := []price{}
	for _, text := range r.URL.Query()["sku"] {
		sku, err := strconv.Atoi(text)
		if err != nil {
			http.Error(w, "sku is not a number: "+text, http.StatusBadRequest)
			return
		}
		if sku == unpriced {
			http.Error(w, "no price list for sku 404", http.StatusServiceUnavailable)
			return
		}
		prices = append(prices, price{sku, 199 + sku*7919%20000})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(prices)
}

// remoteKey signs after the time a key server takes.
type remoteKey struct {
	crypto.Signer
	delay time.Duration
}

func (k remoteKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	time.Sleep(k.delay)
	return k.Signer.Sign(random, digest, opts)
}

// certificate makes a self-signed one for a name and writes its public part to path, for the caller to trust.
func certificate(path, name string, delay time.Duration) (tls.Certificate, error) {
	var addresses []net.IP
	if address := net.ParseIP(name); address != nil {
		addresses = append(addresses, address)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "pricing"},
		DNSNames:     []string{"localhost", name},
		IPAddresses:  addresses,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(path, public, 0o600); err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: remoteKey{key, delay}}, nil
}

// slotted accepts a connection only when one of its slots is free, as a server of few workers does.
type slotted struct {
	net.Listener
	slots chan struct{}
}

func (l *slotted) Accept() (net.Conn, error) {
	l.slots <- struct{}{}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slottedConn{Conn: conn, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

type slottedConn struct {
	net.Conn
	free func()
}

func (c *slottedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}

func main() {
	address := flag.String("address", "127.0.0.1:20812", "where to listen")
	certificateOut := flag.String("tls-certificate-out", "", "serve HTTPS and write the certificate here")
	signDelay := flag.Duration("sign-delay", 0, "what one signature of the TLS key takes")
	tlsName := flag.String("tls-name", "pricing", "name or address in the certificate")
	keepAlive := flag.Bool("keep-alive", true, "keep connections open between requests")
	slots := flag.Int("slots", 0, "connections served at once, the others wait in the backlog; 0: no limit")
	flag.IntVar(&rounds, "work", 0, "rounds of SHA-256 per quote")
	flag.DurationVar(&cold, "cold", 0, "what loading the price lists takes, at the first quote")
	flag.BoolVar(&shown, "show-cold", true, "a span for that")
	flag.DurationVar(&pause, "pause", 0, "what a quote waits for")
	flag.Parse()
	ready.Store(cold == 0)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := witness.Open(os.Getenv("WITNESS"), "origin:"+os.Getenv("OTEL_SERVICE_NAME")); err != nil {
		log.Fatal(err)
	}
	flush, err := telemetry.Start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer flush()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /quotes", quotes)
	server := &http.Server{Addr: *address, Handler: witness.Handler(otelhttp.NewHandler(telemetry.KeepRequestID(mux), "pricing")), ReadHeaderTimeout: 5 * time.Second}
	server.SetKeepAlivesEnabled(*keepAlive)
	go func() {
		<-ctx.Done()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(closing)
	}()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	if *slots > 0 {
		listener = &slotted{listener, make(chan struct{}, *slots)}
	}
	if *certificateOut == "" {
		err = server.Serve(listener)
	} else {
		var own tls.Certificate
		if own, err = certificate(*certificateOut, *tlsName, *signDelay); err != nil {
			log.Fatal(err)
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13}
		err = server.ServeTLS(listener, "", "")
	}
	if err != http.ErrServerClosed {
		log.Print(err)
	}
}
