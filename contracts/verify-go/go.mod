module kopeck/verify

go 1.24

require (
	github.com/decred/dcrd/dcrec/secp256k1/v4 v4.3.0
	golang.org/x/crypto v0.31.0
)

require golang.org/x/sys v0.28.0 // indirect
