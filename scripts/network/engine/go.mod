module kopeck.local/engine

go 1.21

require github.com/ethereum/go-ethereum v1.10.3

replace github.com/ethereum/go-ethereum => github.com/ConsenSys/quorum v0.0.0-20221208112643-d318a5aa973a

replace github.com/coreos/etcd => github.com/Consensys/etcd v3.3.13-quorum197+incompatible
