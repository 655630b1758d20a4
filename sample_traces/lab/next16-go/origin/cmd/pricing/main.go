// Command pricing answers what a product costs today. Over HTTPS its private key sits behind a key server: each
// handshake pays one signature of -sign-delay, as with a cloud KMS or a keyless front.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"io"
	"log"
	"math/big"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"seamscope.example/origin/internal/telemetry"
)

// unpriced is a product whose price list is broken: asking for it fails, as one thing always does.
const unpriced = 404

type price struct {
	SKU   int `json:"sku"`
	Cents int `json:"price_cents"`
}

// quotes answers GET /quotes?sku=1&sku=2 with a price per product, or 503 for a broken price list.
func quotes(w http.ResponseWriter, r *http.Request) {
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

// certificate makes a self-signed one for localhost and writes its public part to path, for the caller to trust.
func certificate(path string, delay time.Duration) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "pricing"},
		DNSNames:     []string{"localhost"},
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

func main() {
	address := flag.String("address", "127.0.0.1:20812", "where to listen")
	certificateOut := flag.String("tls-certificate-out", "", "serve HTTPS and write the certificate here")
	signDelay := flag.Duration("sign-delay", 0, "what one signature of the TLS key takes")
	keepAlive := flag.Bool("keep-alive", true, "keep connections open between requests")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	flush, err := telemetry.Start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer flush()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /quotes", quotes)
	server := &http.Server{Addr: *address, Handler: otelhttp.NewHandler(telemetry.KeepRequestID(mux), "pricing"), ReadHeaderTimeout: 5 * time.Second}
	server.SetKeepAlivesEnabled(*keepAlive)
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.WithoutCancel(ctx))
	}()
	if *certificateOut == "" {
		err = server.ListenAndServe()
	} else {
		var own tls.Certificate
		if own, err = certificate(*certificateOut, *signDelay); err != nil {
			log.Fatal(err)
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13}
		err = server.ListenAndServeTLS("", "")
	}
	if err != http.ErrServerClosed {
		log.Print(err)
	}
}
