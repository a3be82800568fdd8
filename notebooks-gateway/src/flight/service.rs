//! The service: each call of Flight SQL in a few lines, over tickets, statements and metadata.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandGetCatalogs,
    CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandPreparedStatementQuery, CommandStatementQuery, DoPutPreparedStatementResult, ProstMessageExt,
    SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, IpcMessage,
    SchemaAsIpc, Ticket,
};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use prost::Message as _;
use prost::bytes::Bytes;
use std::pin::Pin;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use super::binding::{BindError, Template};
use super::statements::Statements;
use super::tickets::Tickets;
use super::{caller, metadata, status};
use crate::caller::{Answer, Ask, Caller};
use crate::gateway::Gateway;

/// That a question is cancelled, in Flight SQL's numbers.
const CANCELLED: i32 = 1;
/// The most batches of parameters that are read.
const BATCHES: usize = 4;
/// How long parameters may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(15);

/// The door: a gateway with the tickets and statements that it gave out.
pub(super) struct Door {
    pub(super) gateway: Gateway,
    tickets: Tickets,
    statements: Statements,
}

type Served<T> = Result<Response<T>, Status>;
type Data = <Door as FlightService>::DoGetStream;
type Hands = Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>;

impl Door {
    pub(super) fn new(gateway: Gateway) -> Self {
        Self { gateway, tickets: Tickets::default(), statements: Statements::default() }
    }

    async fn caller<T: Sync>(&self, request: &Request<T>) -> Result<Caller, Status> {
        caller::of(&self.gateway, request).await
    }

    /// Runs a question and gives a ticket for its table.
    async fn info(&self, caller: &Caller, sql: String, of: FlightDescriptor) -> Served<FlightInfo> {
        let asked = self.gateway.begin(caller, Ask::Query(sql.clone()), None);
        let mut asked = asked.map_err(|error| status::not_begun(&error))?;
        let outcome = asked.wait(self.gateway.parts().settings.long).await;
        let outcome = outcome.ok_or_else(|| Status::deadline_exceeded("the question is still running"))?;
        let table = match outcome.as_ref() {
            Ok(Answer::Released(table)) => Arc::clone(table),
            Ok(Answer::Verdict(verdict)) => return Err(status::of_verdict(verdict, &sql)),
            Ok(Answer::Withheld) => return Err(status::withheld()),
            Ok(Answer::Held(output)) => return Err(status::held(output)),
            Ok(Answer::Stopped) => return Err(Status::cancelled("the question was stopped")),
            Ok(Answer::Estimate(..) | Answer::Fault) => return Err(status::ours()),
            Err(error) => return Err(status::no_answer(error)),
        };
        let batch = reports::table::batch(&table).map_err(|_| status::ours())?;
        let records = i64::try_from(batch.num_rows()).unwrap_or(-1);
        let word = self.tickets.issue(&self.gateway, caller.owner(), &asked.id, table);
        let word = word.map_err(|_| status::ours())?;
        let ticket = TicketStatementQuery { statement_handle: Bytes::from(word) };
        let info = flight_info(&batch.schema(), &ticket.as_any(), of)?;
        Ok(Response::new(info.with_total_records(records)))
    }

    /// What to ask with for metadata: the command itself, since it holds nothing and is judged again.
    async fn about(
        &self,
        request: Request<FlightDescriptor>,
        command: Any,
        schema: &Schema,
    ) -> Served<FlightInfo> {
        self.caller(&request).await?;
        flight_info(schema, &command, request.into_inner()).map(Response::new)
    }
}

fn flight_info(schema: &Schema, command: &Any, of: FlightDescriptor) -> Result<FlightInfo, Status> {
    let ticket = Ticket { ticket: command.encode_to_vec().into() };
    let info = FlightInfo::new().try_with_schema(schema).map_err(|_| status::ours())?;
    Ok(info.with_endpoint(FlightEndpoint::new().with_ticket(ticket)).with_descriptor(of))
}

fn data(batch: RecordBatch) -> Response<Data> {
    let schema: SchemaRef = batch.schema();
    let encoder = FlightDataEncoderBuilder::new().with_schema(schema);
    let stream = encoder.build(stream::once(async { Ok::<_, FlightError>(batch) }));
    Response::new(Box::pin(stream.map_err(|_| status::ours())))
}

fn handle(bytes: &Bytes) -> Result<&str, Status> {
    std::str::from_utf8(bytes).map_err(|_| unknown_handle())
}

fn unknown_handle() -> Status {
    Status::not_found("no such handle of yours; it may be spent or too old")
}

fn not_bound(error: &BindError) -> Status {
    match error {
        BindError::Bug => {
            tracing::warn!("values were not bound: the statement would not read back");
            Status::invalid_argument("a value stands where it would not be a literal of its own")
        }
        error => Status::invalid_argument(error.to_string()),
    }
}

#[tonic::async_trait]
impl FlightSqlService for Door {
    type FlightService = Self;

    async fn do_handshake(&self, request: Request<Streaming<HandshakeRequest>>) -> Served<Hands> {
        let (_, token) = caller::shaking_hands(&self.gateway, request.metadata()).await?;
        let answer = HandshakeResponse { protocol_version: 0, payload: Bytes::from(token.clone()) };
        let stream: Hands = Box::pin(stream::once(async { Ok(answer) }));
        let mut response = Response::new(stream);
        let header = MetadataValue::try_from(format!("Bearer {token}")).map_err(|_| status::ours())?;
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Served<FlightInfo> {
        let caller = self.caller(&request).await?;
        self.info(&caller, query.query, request.into_inner()).await
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Served<FlightInfo> {
        let caller = self.caller(&request).await?;
        let handle = handle(&query.prepared_statement_handle)?;
        let bound = self.statements.bound(&self.gateway, &caller.owner(), handle);
        let sql = bound.ok_or_else(unknown_handle)?;
        let sql =
            sql.ok_or_else(|| Status::failed_precondition("the statement has parameters without values"))?;
        self.info(&caller, sql, request.into_inner()).await
    }

    async fn do_get_statement(&self, ticket: TicketStatementQuery, request: Request<Ticket>) -> Served<Data> {
        let caller = self.caller(&request).await?;
        let word = handle(&ticket.statement_handle)?;
        let table = self.tickets.spend(&self.gateway, &caller.owner(), word).ok_or_else(unknown_handle)?;
        reports::table::batch(&table).map(data).map_err(|_| status::ours())
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let caller = self.caller(&request).await?;
        let template = Template::new(&query.query).map_err(|error| not_bound(&error))?;
        let parameters = template.parameters();
        let word =
            self.statements.keep(&self.gateway, caller.owner(), template).map_err(|_| status::ours())?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: Bytes::from(word),
            // What a figure is (whole or decimal) is known with the answer only.
            dataset_schema: Bytes::new(),
            parameter_schema: parameter_schema(parameters)?,
        })
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let caller = self.caller(&request).await?;
        let owner = caller.owner();
        let handle = handle(&query.prepared_statement_handle)?;
        let template = self.statements.template(&self.gateway, &owner, handle).ok_or_else(unknown_handle)?;
        let stream = request.into_inner().map_err(|status| FlightError::Tonic(Box::new(status)));
        let batches = FlightRecordBatchStream::new_from_flight_data(stream).take(BATCHES).try_collect();
        let batches: Vec<RecordBatch> = match tokio::time::timeout(ARRIVAL, batches).await {
            Ok(Ok(batches)) => batches,
            Ok(Err(_)) => return Err(Status::invalid_argument("the parameters cannot be read")),
            Err(_) => return Err(Status::deadline_exceeded("the parameters did not arrive in time")),
        };
        let bound = template.bind(&batches).map_err(|error| not_bound(&error))?;
        if !self.statements.bind(&self.gateway, &owner, handle, bound) {
            return Err(unknown_handle());
        }
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: None })
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        let caller = self.caller(&request).await?;
        self.statements.close(&caller.owner(), handle(&query.prepared_statement_handle)?);
        Ok(())
    }

    async fn do_action_cancel_query(
        &self,
        query: ActionCancelQueryRequest,
        request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        let caller = self.caller(&request).await?;
        let owner = caller.owner();
        let unreadable = |_| Status::invalid_argument("no flight info");
        let info = FlightInfo::decode(query.info).map_err(unreadable)?;
        let mut torn = false;
        for ticket in info.endpoint.into_iter().filter_map(|endpoint| endpoint.ticket) {
            let any = Any::decode(ticket.ticket).map_err(unreadable)?;
            let Ok(Some(ticket)) = any.unpack::<TicketStatementQuery>() else { continue };
            let question = self.tickets.tear(&self.gateway, &owner, handle(&ticket.statement_handle)?);
            if let Some(question) = question {
                torn |= self.gateway.give_up(&caller, &question).await;
            }
        }
        if !torn {
            return Err(unknown_handle());
        }
        Ok(ActionCancelQueryResult { result: CANCELLED })
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Served<FlightInfo> {
        self.about(request, query.as_any(), &query.into_builder().schema()).await
    }

    async fn do_get_catalogs(&self, query: CommandGetCatalogs, request: Request<Ticket>) -> Served<Data> {
        self.caller(&request).await?;
        metadata::catalogs(query).map(data)
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Served<FlightInfo> {
        self.about(request, query.as_any(), &query.into_builder().schema()).await
    }

    async fn do_get_schemas(&self, query: CommandGetDbSchemas, request: Request<Ticket>) -> Served<Data> {
        self.caller(&request).await?;
        metadata::schemas(query).map(data)
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Served<FlightInfo> {
        self.about(request, query.as_any(), &query.into_builder().schema()).await
    }

    async fn do_get_tables(&self, query: CommandGetTables, request: Request<Ticket>) -> Served<Data> {
        let caller = self.caller(&request).await?;
        metadata::tables(self, &caller, query).await.map(data)
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Served<FlightInfo> {
        self.about(request, query.as_any(), &query.into_builder().schema()).await
    }

    async fn do_get_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<Ticket>,
    ) -> Served<Data> {
        self.caller(&request).await?;
        metadata::table_types(query).map(data)
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Served<FlightInfo> {
        let server = metadata::SERVER.as_ref().map_err(|_| status::ours())?;
        self.about(request, query.as_any(), &query.into_builder(server).schema()).await
    }

    async fn do_get_sql_info(&self, query: CommandGetSqlInfo, request: Request<Ticket>) -> Served<Data> {
        self.caller(&request).await?;
        let server = metadata::SERVER.as_ref().map_err(|_| status::ours())?;
        query.into_builder(server).build().map(data).map_err(|_| status::ours())
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

/// One field for each parameter; its type is whatever the client binds.
fn parameter_schema(parameters: usize) -> Result<Bytes, Status> {
    if parameters == 0 {
        return Ok(Bytes::new());
    }
    let fields = (1..=parameters).map(|number| Field::new(format!("${number}"), DataType::Null, true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let message: IpcMessage =
        SchemaAsIpc::new(&schema, &IpcWriteOptions::default()).try_into().map_err(|_| status::ours())?;
    Ok(message.0)
}
